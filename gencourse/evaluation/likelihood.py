"""What log-probabilities mean: bounds on log p(x), units, and how much of a code is used."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from tqdm.auto import tqdm

from gencourse.errors import InputError
from gencourse.runtime import global_seed, seeded
from gencourse.validation import require_count, require_tensor


def iwae_bound(log_w: Tensor) -> Tensor:
    """log (1/K) Σ_k w_k, a lower bound of log p(x) in expectation, tighter with growing K.

    log_w (K, B) -> (B,), nats. At K = 1 it is one draw of the ELBO. Source: Burda et al. 2016,
    equation 8.
    """
    require_tensor("iwae_bound", "log_w", log_w)
    if log_w.ndim != 2 or 0 in log_w.shape:
        raise InputError(
            "iwae_bound: log_w should have shape (K, B) with K, B ≥ 1, got "
            f"{tuple(log_w.shape)}. Draws come first."
        )
    return log_w.logsumexp(0) - math.log(len(log_w))


@torch.no_grad()
def dataset_elbo_terms(
    loss: Callable[..., dict[str, Tensor]], *data: Tensor, batch_size: int = 500, seed: int = 0
) -> dict[str, Tensor]:
    """The terms of a model's loss over a whole data set, one value per example.

    `loss` is a model's `loss`; data (N, ...) one or more tensors that it takes. Returns {"elbo",
    "reconstruction", "kl"}, each (N,), nats, where elbo = -(reconstruction + kl) whatever β the
    model was trained with. A second call with the same seed gives the same numbers.
    """
    with global_seed(seed, data[0].device):
        rows = [
            loss(*batch)
            for batch in zip(*(tensor.split(batch_size) for tensor in data), strict=True)
        ]
    reconstruction, kl = (
        torch.cat([row[key] for row in rows]).cpu() for key in ("reconstruction", "kl")
    )
    return {"elbo": -(reconstruction + kl), "reconstruction": reconstruction, "kl": kl}


@torch.no_grad()
def dataset_iwae_bound(
    log_weights: Callable[..., Tensor],
    *data: Tensor,
    K: int,
    seed: int = 0,
    rows_at_once: int = 10_000,
) -> Tensor:
    """The IWAE-K bound of every example: data (N, ...), one or more tensors, -> (N,), nats, on the
    CPU.

    `log_weights(*batch, K=K, generator=generator)` returns (K, B). `rows_at_once` limits the
    memory: K · B decoder rows at a time. A progress bar appears where it takes longer than two
    seconds.
    """
    require_count("dataset_iwae_bound", "K", K)
    generator = seeded(seed)
    B = max(1, rows_at_once // K)
    batches = list(zip(*(tensor.split(B) for tensor in data), strict=True))
    bar = tqdm(batches, unit="batch", delay=2, leave=False)
    return torch.cat(
        [iwae_bound(log_weights(*batch, K=K, generator=generator)).cpu() for batch in bar]
    )


def bits_per_dim(nll: Tensor | float, dims: int) -> Tensor | float:
    """nll / (dims · log 2): nats per example as bits per dimension, `dims` the number of pixels
    times channels.
    """
    require_count("bits_per_dim", "dims", dims)
    return nll / (dims * math.log(2))


def active_units(mu: Tensor, threshold: float = 0.01) -> Tensor:
    """Which latent dimensions carry information: Var over the data of E[z_d given x] > threshold.

    mu (N, D) -> (D,) bool. Source: Burda et al. 2016, section 5.2.
    """
    require_tensor("active_units", "mu", mu)
    return mu.var(0) > threshold
