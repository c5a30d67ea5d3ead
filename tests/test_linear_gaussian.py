"""Expectation maximisation on the linear-Gaussian VAE against the solution by eigenvalues, and its
bounds in closed form against draws.
"""

import math

import pytest
import torch
from torch import distributions as D

from gencourse.errors import InputError
from gencourse.evaluation import dataset_elbo_terms, dataset_iwae_bound
from gencourse.models import vae as m
from gencourse.runtime import global_seed, seeded

DATA, Z = 5, 2


def model_of(seed=0):
    with global_seed(seed):
        return m.LinearGaussianVAE(DATA, Z).double()


def data(n=400):
    """Points near a plane that does not go through 0, of which no direction is an axis."""
    generator = seeded(1)
    z = torch.randn(n, Z, generator=generator, dtype=torch.float64)
    noise = 0.8 * torch.randn(n, DATA, generator=generator, dtype=torch.float64)
    directions = torch.randn(Z, DATA, generator=generator, dtype=torch.float64)
    return z * torch.tensor([2.0, 1.0]) @ directions + noise + torch.arange(DATA)


def trained(steps, seed=0):
    model, x = model_of(seed), data()
    with torch.no_grad():
        model.b.copy_(x.mean(0))
    for _ in range(steps):
        model.em_step(x)
    return model, x


@torch.no_grad()
def mean_log_prob(model, x):
    return model.log_prob(x).mean().item()


def maximum_likelihood(x):
    """The covariance of the best model, and the mean of log p, from the eigenvalues alone."""
    centred = x - x.mean(0)
    _, S, Vt = torch.linalg.svd(centred, full_matrices=False)
    eigenvalues = S.square() / len(x)
    s2 = eigenvalues[Z:].mean()
    covariance = (Vt[:Z].T * (eigenvalues[:Z] - s2)) @ Vt[:Z] + s2 * torch.eye(DATA, dtype=x.dtype)
    best = D.MultivariateNormal(x.mean(0), covariance).log_prob(x).mean().item()
    return covariance, s2, best


@pytest.mark.parametrize("seed", range(3))
def test_likelihood_rises_at_every_em_step_to_that_of_the_eigenvalues(seed):
    model, x = model_of(seed), data()
    path = [mean_log_prob(model, x)]
    for _ in range(800):
        model.em_step(x)
        path.append(mean_log_prob(model, x))
    rises = torch.tensor(path).diff()
    assert (rises > -1e-10).all() and (rises[:10] > 1e-6).all()
    assert path[-1] == pytest.approx(maximum_likelihood(x)[2], abs=1e-4)
    torch.testing.assert_close(model.b.detach(), x.mean(0), atol=0.05, rtol=0)


def test_em_from_the_mean_ends_at_the_solution_by_eigenvalues():
    model, x = trained(1000)
    covariance, s2, _ = maximum_likelihood(x)
    found = model.W @ model.W.T + (2 * model.log_std).exp() * torch.eye(DATA)
    torch.testing.assert_close(found.detach(), covariance, atol=1e-6, rtol=0)
    assert (2 * model.log_std).exp().item() == pytest.approx(s2.item(), abs=1e-6)
    torch.testing.assert_close(model.b.detach(), x.mean(0))  # where it began


def test_half_steps_close_the_gap_and_then_raise_the_bound():
    model, x = model_of(), data()
    for _ in range(5):
        with torch.no_grad():
            mean, covariance = model.exact_posterior(x)  # E
            before, bound = model.log_prob(x), model.elbo(x, mean, covariance)
        torch.testing.assert_close(bound, before)
        model.em_step(x)  # M, for the same posterior
        with torch.no_grad():
            raised, after = model.elbo(x, mean, covariance), model.log_prob(x)
        assert bound.mean() < raised.mean() < after.mean()
        assert (raised < after).all(), "and the gap is open again"


def test_m_step_is_the_best_for_the_posterior_that_it_was_given():
    """By automatic differentiation: the bound has no slope after a step, and had one before."""
    model, x = model_of(), data()
    mean, covariance = (t.detach() for t in model.exact_posterior(x))

    def slopes():
        bound = model.elbo(x, mean, covariance).mean()
        grads = torch.autograd.grad(bound, (model.W, model.b, model.log_std))
        return [grad.abs().max().item() for grad in grads]

    assert min(slopes()) > 1e-2
    model.em_step(x)
    assert max(slopes()) < 1e-10


@pytest.mark.parametrize("each", [False, True])
def test_elbo_is_the_likelihood_less_the_divergence_for_any_normal(each):
    model, x = trained(3)
    roots = torch.randn(len(x) if each else 1, Z, Z, generator=seeded(2), dtype=torch.float64)
    covariance = (roots @ roots.mT + 0.1 * torch.eye(Z)).squeeze(0)  # not diagonal
    q_mean = torch.randn(len(x), Z, generator=seeded(3), dtype=torch.float64)
    exact, exact_covariance = model.exact_posterior(x)
    divergence = D.kl_divergence(
        D.MultivariateNormal(q_mean, covariance), D.MultivariateNormal(exact, exact_covariance)
    )
    torch.testing.assert_close(
        model.elbo(x, q_mean, covariance), model.log_prob(x) - divergence, atol=1e-8, rtol=1e-8
    )
    assert divergence.min() > 0.01


def test_elbo_is_the_mean_of_the_loss():
    model, x = trained(3)
    x, n = x[:20], 20_000
    eps = torch.randn(n * len(x), Z, generator=seeded(4), dtype=torch.float64)
    with torch.no_grad():
        mu, logvar = model.encode(x)
        want = model.elbo(x, mu, logvar.exp().diag_embed())
        draws = -model.loss(x.repeat(n, 1), eps=eps)["loss"].view(n, -1)
    error = draws.std(0) / math.sqrt(n)
    assert ((draws.mean(0) - want).abs() < 4 * error).all()
    assert error.max() < 0.5 < model.log_prob(x).sub(want).min(), "which is not log p"


def test_exact_encoder_has_no_gap_and_leaves_the_likelihood():
    model, x = trained(3)
    with torch.no_grad():
        before, gap = model.log_prob(x), model.log_prob(x) + model.loss(x)["loss"]
        columns = model.W.T @ model.W
    assert gap.mean() > 0.5 and columns[0, 1].abs() > 1e-3, "there is something to do"
    model.set_exact_encoder()
    with torch.no_grad():
        torch.testing.assert_close(model.log_prob(x), before)
        mean, covariance = model.exact_posterior(x)
        mu, logvar = model.encode(x)
        torch.testing.assert_close(mu, mean)
        torch.testing.assert_close(logvar.exp().diag_embed(), covariance.expand(len(x), Z, Z))
        # one draw is enough: the weights do not depend on it
        torch.testing.assert_close(model.log_weights(x, K=2), before.expand(2, -1))
    terms = dataset_elbo_terms(model.loss, x)
    assert terms["elbo"].mean().item() == pytest.approx(before.mean().item(), abs=0.3)


def test_iwae_climbs_to_the_likelihood_from_a_posterior_twice_as_wide():
    model, x = trained(5)
    model.set_exact_encoder()
    with torch.no_grad():
        model.logvar.add_(2 * math.log(2))
        truth = model.log_prob(x)
        gap = model.elbo(x, *wide_normal(model, x)).mean() - truth.mean()
    means = {}
    for K in (1, 10, 1000):
        bound = dataset_iwae_bound(model.log_weights, x, K=K)
        error = ((bound - truth).std() / math.sqrt(len(x))).item()
        means[K] = (bound - truth).mean().item()
        assert means[K] < 4 * error
    assert means[1] < means[10] < means[1000]
    # at K = 1 it is the ELBO: for each of two numbers ½ (4 - 1 - log 4) below
    assert gap.item() == pytest.approx(-(3 - math.log(4)), abs=1e-6)
    assert means[1] == pytest.approx(gap.item(), abs=0.5)
    assert means[1000] == pytest.approx(0, abs=0.02)


def wide_normal(model, x):
    mu, logvar = model.encode(x)
    return mu, logvar.exp().diag_embed()


def test_em_leaves_encoder_and_generator_alone():
    model, x = model_of(), data()
    before = torch.get_rng_state(), model.encoder.weight.clone(), model.logvar.clone()
    model.em_step(x)
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    for a, b in zip(
        before, (torch.get_rng_state(), model.encoder.weight, model.logvar), strict=True
    ):
        assert torch.equal(a, b)


def test_bad_arguments_get_one_sentence():
    model, x = model_of(), data(7)
    with pytest.raises(InputError, match=r"data should have shape \(N, 5\), got \(7, 4\)"):
        model.em_step(x[:, :4])
    with pytest.raises(InputError, match="precision, float64, got float32"):
        model.em_step(x.float())
    mean, covariance = model.exact_posterior(x)
    with pytest.raises(InputError, match=r"q_covariance should have shape \(2, 2\) or \(7, 2, 2\)"):
        model.elbo(x, mean, covariance[0])
    with pytest.raises(InputError, match=r"q_mean should have shape \(7, 2\), got \(6, 2\)"):
        model.elbo(x, mean[:6], covariance)
    with pytest.raises(InputError, match=r"z should have shape \(B, 2\)"):
        model.decode(x)
