"""Refitted posteriors, bounds under a given q, and what codes tell of the examples, on models whose
answer is known.
"""

import copy
import math

import pytest
import torch
from torch import distributions as D

from gencourse.errors import InputError, InputTypeError
from gencourse.evaluation import (
    elbo_under,
    index_information,
    iwae_bound,
    refit_posterior,
)
from gencourse.models import vae as m
from gencourse.runtime import global_seed, seeded
from tests.lanes import mostly_slow

B, Z, H, W = 2, 3, 4, 5


def linear_model(exact=False):
    """A linear-Gaussian model with a bad encoder, whose posterior is diagonal."""
    with global_seed(0):
        model = m.LinearGaussianVAE(data_dim=5, latent_dim=2)
    with torch.no_grad():
        model.W.copy_(torch.linalg.qr(torch.randn(5, 2, generator=seeded(0)))[0])
        model.W.mul_(torch.tensor([2.0, 0.7]))
        model.b.copy_(torch.arange(5.0))
        model.log_std.fill_(math.log(0.6))
    if exact:
        model.set_exact_encoder()
    return model


def small_vae(**options):
    with global_seed(0):
        return m.VAE(latent_dim=Z, hidden=9, image_shape=(1, H, W), **options)


def pictures(n=12, seed=0):
    return (torch.rand(n, 1, H, W, generator=seeded(seed)) > 0.5).float()


def exact_normals(model, x):
    mean, covariance = model.exact_posterior(x)
    return D.MultivariateNormal(mean, covariance)


def as_normals(q):
    return D.MultivariateNormal(q.mu, torch.diag_embed(q.logvar.exp()))


@pytest.fixture(scope="module")
def refitted():
    model = linear_model()
    x = model.sample(30, seed=1)
    return model, x, refit_posterior(model, x)


def test_refitting_from_a_bad_start_arrives_at_the_exact_posterior(refitted):
    model, x, q = refitted
    mean, covariance = (t.detach() for t in model.exact_posterior(x))
    start = D.kl_divergence(as_normals(model.encode(x)), exact_normals(model, x))
    assert start.min() > 1, "the start is no solution"
    torch.testing.assert_close(q.mu, mean, atol=0.15, rtol=0)
    torch.testing.assert_close(
        q.logvar, covariance.diagonal().log().expand_as(q.logvar), atol=0.3, rtol=0
    )
    left = D.kl_divergence(as_normals(q), exact_normals(model, x))
    assert left.mean() < 0.03 and left.max() < 0.08


@pytest.mark.parametrize("which", ["encoder", "refitted", "wide"])
def test_bound_and_divergence_add_up_to_the_likelihood(refitted, which):
    model, x, best = refitted
    wide = best._replace(logvar=best.logvar + 0.8)
    q = {"encoder": model.encode(x), "refitted": best, "wide": wide}[which]
    q = m.Posterior(*(t.detach() for t in q))
    K = 20_000
    bound = elbo_under(model, x, q, K=K)
    log_w = model.log_weights(x, K=K, generator=seeded(0), q=q)
    error = 4 * log_w.std(0) / math.sqrt(K) + 1e-4
    divergence = D.kl_divergence(as_normals(q), exact_normals(model, x))
    assert ((bound + divergence - model.log_prob(x)).abs() < error).all()
    assert which != "wide" or divergence.min() > 5 * error.max(), "the oracle sees the divergence"


@pytest.mark.parametrize(
    "options", mostly_slow([{}, {"pixels": m.GaussianPixels(0.3)}, {"beta": 7.0}])
)
def test_refitting_never_worsens_the_bound(options):
    model, x = small_vae(**options), pictures()
    model.encoder[-1].weight.data.mul_(4)  # an encoder far off, as for images of another kind
    start = m.Posterior(*(t.detach() for t in model.encode(x)))
    best = refit_posterior(model, x)
    K = 2000
    before, after = (elbo_under(model, x, q, K=K) for q in (start, best))
    noise = sum(
        model.log_weights(x, K=K, generator=seeded(1), q=q).var(0) / K for q in (start, best)
    ).sqrt()
    assert (after > before - 4 * noise).all()
    assert (after - before).mean() > 0.5
    # and stays a bound: log p(x) by many draws from the prior, which covers every posterior
    prior = m.Posterior(torch.zeros(len(x), Z), torch.zeros(len(x), Z))
    log_p = iwae_bound(model.log_weights(x, K=20_000, generator=seeded(2), q=prior))
    assert (after < log_p + 0.05).all()
    longer = elbo_under(model, x, refit_posterior(model, x, steps=1000), K=K)
    assert (longer - after).mean() < 0.2, "refitting has ended"


def test_each_image_is_refitted_alone_whatever_stands_beside_it():
    """Only the draws depend on the other images: what is found agrees within their noise."""
    model, x = small_vae(), pictures(6)
    together, alone = refit_posterior(model, x), refit_posterior(model, x[:1])
    torch.testing.assert_close(together.mu[:1], alone.mu, atol=0.1, rtol=0)
    torch.testing.assert_close(together.logvar[:1], alone.logvar, atol=0.2, rtol=0)


def test_refitting_changes_nothing_and_repeats():
    model, x = small_vae(), pictures(3)
    before, generator = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    with torch.no_grad():  # where gradients are off, too
        first = refit_posterior(model, x, steps=5)
    again, other = refit_posterior(model, x, steps=5), refit_posterior(model, x, steps=5, seed=1)
    elbo_under(model, x, first, K=3)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert torch.equal(generator, torch.get_rng_state())
    assert not first.mu.requires_grad and not first.logvar.requires_grad
    assert torch.equal(first.mu, again.mu) and torch.equal(first.logvar, again.logvar)
    assert not torch.equal(first.mu, other.mu)


def test_given_q_takes_the_place_of_the_encoders():
    x = pictures(B)
    with global_seed(0):
        labelled = m.ConditionalVAE(num_classes=4, latent_dim=Z, hidden=7, image_shape=(1, H, W))
    linear = linear_model()
    for model, data in (
        (small_vae(), (x,)),
        (labelled, (x, torch.tensor([0, 3]))),
        (linear, (linear.sample(B),)),
    ):
        D_ = 2 if model is linear else Z
        eps, mu = torch.randn(2, B, D_, generator=seeded(3))
        q = m.Posterior(mu, mu - 1)
        terms = model.loss(*data, eps=eps, q=q)
        torch.testing.assert_close(terms["kl"], m.kl_to_standard_normal(*q))
        # of one draw, whose noise is the generator's first
        noise = torch.randn(B, D_, generator=seeded(5))
        at_noise = model.loss(*data, eps=noise, q=q)
        z = m.reparameterize(*q, noise)
        log_w = (
            -at_noise["reconstruction"]
            + m.gaussian_log_density(z, 0 * z, 0 * z)
            - m.gaussian_log_density(z, *q)
        )
        found = model.log_weights(*data, K=1, generator=seeded(5), q=q)
        torch.testing.assert_close(found[0], log_w)
        if model is not labelled:
            own = m.Posterior(*(t.detach() for t in model.encode(*data)))
            assert torch.equal(
                model.log_weights(*data, K=3, generator=seeded(1), q=own),
                model.log_weights(*data, K=3, generator=seeded(1)),
            )


def test_bound_does_not_depend_on_how_it_is_cut():
    model = linear_model(exact=True)  # whose weights are the same at every z
    x = model.sample(7)
    q = m.Posterior(*(t.detach() for t in model.encode(x)))
    for rows in (1, 10, 1000):
        bound = elbo_under(model, x, q, K=5, rows_at_once=rows)
        torch.testing.assert_close(bound, model.log_prob(x).detach(), atol=1e-4, rtol=1e-4)
    assert iwae_bound(model.log_weights(x, K=3, q=q)).shape == (7,)


def test_two_codes_far_apart_tell_which_of_two():
    mu, logvar = torch.tensor([[30.0, 0.0], [-30.0, 1.0]]), torch.tensor([[-1.0, 0.5], [0.0, -0.5]])
    information, _ = index_information(mu, logvar)
    assert information == pytest.approx(math.log(2), abs=1e-9)


def test_identical_codes_tell_nothing():
    mu, logvar = torch.ones(2000, Z), torch.full((2000, Z), -0.7)
    information, divergence = index_information(mu, logvar, draws=10)
    assert information == pytest.approx(0, abs=1e-9)
    assert divergence == pytest.approx(m.kl_to_standard_normal(mu, logvar)[0].item(), abs=0.02)
    assert index_information(0 * mu, 0 * logvar) == pytest.approx((0, 0), abs=1e-9)


def test_information_and_divergence_add_up_to_the_mean_kl():
    N = 400
    mu = 1.5 * torch.randn(N, Z, generator=seeded(0))
    logvar = torch.randn(N, Z, generator=seeded(1)) - 1
    information, divergence = index_information(mu, logvar, draws=50)
    want = m.kl_to_standard_normal(mu, logvar).mean().item()
    z = m.reparameterize(mu, logvar, torch.randn(N, Z, generator=seeded(2)))
    ratio = m.gaussian_log_density(z, mu, logvar) - m.gaussian_log_density(z, 0 * z, 0 * z)
    error = ratio.std().item() / math.sqrt(50 * N)
    assert information + divergence == pytest.approx(want, abs=4 * error)
    assert error < 0.05
    assert 0.5 < information < math.log(N) and divergence > 0.1
    assert index_information(mu, logvar) == index_information(mu, logvar)
    assert index_information(mu, logvar) != index_information(mu, logvar, seed=1)


def test_information_equals_an_integral_in_one_dimension():
    mu = torch.tensor([[-1.2], [0.1], [0.4], [2.0]], dtype=torch.float64)
    logvar = torch.tensor([[-0.5], [-2.0], [0.3], [-1.0]], dtype=torch.float64)
    z = torch.linspace(-12, 12, 24_001, dtype=torch.float64)
    q = D.Normal(mu, (logvar / 2).exp())
    each = q.log_prob(z)  # (N, grid)
    mean = each.logsumexp(0) - math.log(4)
    step = z[1] - z[0]
    information = (each.exp() * (each - mean)).sum() * step / 4
    divergence = (mean.exp() * (mean - D.Normal(0.0, 1.0).log_prob(z))).sum() * step
    # a thousand examples with each of these posteriors are told apart as little as one
    found = index_information(mu.repeat(1000, 1), logvar.repeat(1000, 1), draws=10)
    assert found == pytest.approx((information.item(), divergence.item()), abs=0.02)
    assert min(found) > 0.1, "neither is small against the tolerance"


def test_bad_arguments_get_one_sentence():
    model, x = small_vae(), pictures(B)
    q = m.Posterior(torch.zeros(B + 1, Z), torch.zeros(B + 1, Z))
    with pytest.raises(InputError, match=r"q\.mu should have shape \(2, 3\), got \(3, 3\)"):
        model.log_weights(x, K=2, q=q)
    with pytest.raises(InputError, match=r"q\.mu should have shape \(2, 2\), got \(3, 3\)"):
        linear_model().loss(torch.zeros(B, 5), q=q)
    with pytest.raises(InputError, match=r"x should lie in \[0, 1\]"):
        model.loss(255 * x, q=m.Posterior(torch.zeros(B, Z), torch.zeros(B, Z)))
    with pytest.raises(InputError, match="steps should be at least 1, got 0"):
        refit_posterior(model, x, steps=0)
    with pytest.raises(InputError, match=r"x should lie in \[0, 1\]"):
        refit_posterior(model, 255 * x)
    with pytest.raises(InputTypeError, match="K should be a whole number"):
        elbo_under(model, x, model.encode(x), K=2.5)
    with pytest.raises(InputError, match="q should have one row per example of x, 2, got 3"):
        elbo_under(model, x, q)
    with pytest.raises(InputError, match="logvar should have the shape of mu"):
        index_information(torch.zeros(3, 2), torch.zeros(3))
