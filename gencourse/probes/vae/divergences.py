"""Right and wrong versions of the divergence from the standard normal, to try a test on."""

from collections.abc import Callable

import torch
from torch import Tensor, distributions

KL = Callable[[Tensor, Tensor], Tensor]


def per_dimension(mu: Tensor, logvar: Tensor) -> Tensor:
    """The divergence of each coordinate: (B, D) -> (B, D)."""
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar)


def plain(mu: Tensor, logvar: Tensor) -> Tensor:
    """As the formula stands."""
    return per_dimension(mu, logvar).sum(1)


def rearranged(mu: Tensor, logvar: Tensor) -> Tensor:
    """The same, off by a few units in the last place."""
    once = 1 + 3 * torch.finfo(mu.dtype).eps
    return -0.5 * once * (1 + logvar - mu * mu - torch.exp(logvar)).sum(dim=-1)


def of_the_library(mu: Tensor, logvar: Tensor) -> Tensor:
    """As torch knows it."""
    prior = distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    return distributions.kl_divergence(distributions.Normal(mu, (logvar / 2).exp()), prior).sum(1)


RIGHT: dict[str, KL] = {
    "plain": plain,
    "rearranged": rearranged,
    "of_the_library": of_the_library,
}
WRONG: dict[str, KL] = {
    "minus_sign": lambda mu, logvar: -plain(mu, logvar),
    "without_the_half": lambda mu, logvar: 2 * plain(mu, logvar),
    "mean_over_dimensions": lambda mu, logvar: per_dimension(mu, logvar).mean(1),
    "logvar_read_as_log_std": lambda mu, logvar: plain(mu, 2 * logvar),
    "arguments_reversed": lambda mu, logvar: 0.5 * ((1 + mu**2) / logvar.exp() - 1 + logvar).sum(1),
    "log_var_squared": lambda mu, logvar: 0.5 * (mu**2 + logvar.exp() - 1 - logvar**2).sum(1),
    "without_mu": lambda mu, logvar: plain(0 * mu, logvar),
    "not_summed": per_dimension,
    "one_outside_the_sum": lambda mu, logvar: 0.5 * ((mu**2 + logvar.exp() - logvar).sum(1) - 1),
    "mean_over_the_batch": lambda mu, logvar: plain(mu, logvar).mean(),
    "batch_mean_in_every_row": lambda mu, logvar: plain(mu, logvar).mean().expand(len(mu)),
    "summed_over_the_batch": lambda mu, logvar: per_dimension(mu, logvar).sum(0),
    "one_axis_too_many": lambda mu, logvar: plain(mu, logvar)[:, None],
    "a_tenth_too_large": lambda mu, logvar: 1.1 * plain(mu, logvar),
    "negative_logvar_clipped": lambda mu, logvar: plain(mu, logvar.relu()),
    "mu_not_squared": lambda mu, logvar: 0.5 * (mu.abs() + logvar.exp() - 1 - logvar).sum(1),
    "mu_and_logvar_exchanged": lambda mu, logvar: plain(logvar, mu),
    "negative_mu_clipped": lambda mu, logvar: plain(mu.relu(), logvar),
    "positive_logvar_clipped": lambda mu, logvar: plain(mu, logvar.clamp(max=0)),
    "with_a_cross_term": lambda mu, logvar: plain(mu, logvar) + 0.1 * (mu * logvar).sum(1),
    "first_row_in_every_row": lambda mu, logvar: plain(mu, logvar)[:1].expand(len(mu)),
    "first_dimension_times_d": lambda mu, logvar: per_dimension(mu, logvar)[:, 0] * mu.shape[1],
}
VERSIONS = RIGHT | WRONG


def said_of(test: Callable, version: str) -> object:
    """What a test of KL functions says of one version, whose own name it does not get to see."""
    kl = VERSIONS[version]
    return test(lambda mu, logvar: kl(mu, logvar))


def trusts_what_crashes(test: Callable) -> bool:
    """Whether a test trusts a version that raises an error; not, if it lets the error through."""
    try:
        return bool(test(lambda mu, logvar: per_dimension(mu, logvar).sum(2)))
    except NotImplementedError:  # a stub's
        raise
    except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        return False
