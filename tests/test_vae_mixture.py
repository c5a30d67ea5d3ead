"""The mixture of normals against torch.distributions, closed forms and finite differences."""

import math

import pytest
import torch
from torch import distributions as D

from gencourse.errors import InputError, InputTypeError
from gencourse.models.vae import GaussianMixture
from gencourse.runtime import seeded

K, Z = 3, 2


def known(dtype=torch.float64):
    """Three normals of other weights, shapes and directions."""
    means = torch.tensor([[-4.0, 0.0], [3.0, 3.0], [2.0, -5.0]], dtype=dtype)
    roots = torch.tensor(
        [[[1.0, 0.0], [0.8, 0.5]], [[0.3, 0.0], [0.0, 1.5]], [[0.7, 0.0], [-0.6, 0.4]]], dtype=dtype
    )
    return GaussianMixture(torch.tensor([0.5, 0.3, 0.2], dtype=dtype), means, roots @ roots.mT)


def as_torch(mixture):
    return D.MixtureSameFamily(
        D.Categorical(mixture.weights),
        D.MultivariateNormal(mixture.means, mixture.covariances),
    )


def codes(n=2000, seed=0):
    return known().sample(n, seed=seed)


def likelihood(mixture, z):
    return mixture.log_prob(z).mean().item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_log_prob_equals_torch(dtype):
    mixture, z = known(dtype), 4 * torch.randn(50, Z, generator=seeded(1)).to(dtype)
    torch.testing.assert_close(mixture.log_prob(z), as_torch(mixture).log_prob(z))


def test_log_prob_has_gradients():
    z = torch.randn(5, Z, generator=seeded(1), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(known().log_prob, z)


def test_density_integrates_to_one():
    grid = torch.linspace(-14, 14, 561, dtype=torch.float64)
    total = (
        known().log_prob(torch.cartesian_prod(grid, grid)).exp().sum() * (grid[1] - grid[0]) ** 2
    )
    assert total.item() == pytest.approx(1, abs=1e-6)


def test_samples_have_the_moments_of_the_mixture_and_repeat():
    mixture, n = known(), 100_000
    z, truth = mixture.sample(n, seed=1), as_torch(mixture)
    torch.testing.assert_close(z.mean(0), truth.mean, atol=0.05, rtol=0)
    torch.testing.assert_close(z.var(0), truth.variance, atol=0.15, rtol=0)
    # each normal has its share and its covariance, correlation included
    nearest = torch.cdist(z, mixture.means).argmin(1)
    for k in range(K):
        own = z[nearest == k]
        assert len(own) / n == pytest.approx(mixture.weights[k].item(), abs=0.01)
        torch.testing.assert_close(own.T.cov(), mixture.covariances[k], atol=0.08, rtol=0)
    assert torch.equal(mixture.sample(7, seed=2), mixture.sample(7, seed=2))
    assert not torch.equal(mixture.sample(7, seed=2), mixture.sample(7, seed=3))


def test_em_never_lowers_the_likelihood():
    z = codes(500)
    for seed in range(3):
        # another number of steps from the same start
        path = [
            likelihood(GaussianMixture.fit(z, 4, steps=steps, seed=seed, ridge=0.0), z)
            for steps in range(1, 25)
        ]
        rises = torch.tensor(path).diff()
        assert (rises > -1e-9).all()
        assert path[-1] > path[0] + 0.1, "nothing was learned that could have been lost"


def test_known_mixture_is_recovered():
    z, truth = codes(10_000), known()
    found = max(
        (GaussianMixture.fit(z, K, steps=40, seed=seed) for seed in range(3)),
        key=lambda mixture: likelihood(mixture, z),
    )
    order = torch.cdist(truth.means, found.means).argmin(1)
    assert sorted(order.tolist()) == [0, 1, 2]
    torch.testing.assert_close(found.weights[order], truth.weights, atol=0.02, rtol=0)
    torch.testing.assert_close(found.means[order], truth.means, atol=0.05, rtol=0)
    torch.testing.assert_close(found.covariances[order], truth.covariances, atol=0.1, rtol=0)
    held_out = codes(20_000, seed=1)
    assert likelihood(found, held_out) == pytest.approx(likelihood(truth, held_out), abs=0.01)


def parameters_of(mixture):
    """Numbers without a constraint: logits, means, and Cholesky factors."""
    factors = torch.linalg.cholesky(mixture.covariances)
    return [mixture.weights.log(), mixture.means, factors]


def mean_likelihood(z, logits, means, factors):
    factors = factors.tril()
    return (
        as_torch(GaussianMixture(logits.softmax(0), means, factors @ factors.mT)).log_prob(z).mean()
    )


def slope(parameters, z, step=1e-4):
    """The largest change of the mean likelihood with a parameter, by finite differences."""
    largest = 0.0
    for part in parameters:
        for place in part.tril().nonzero() if part.ndim == 3 else part.isfinite().nonzero():
            at, values = tuple(place.tolist()), []
            for sign in (1, -1):
                part[at] += sign * step
                values.append(mean_likelihood(z, *parameters))
                part[at] -= sign * step
            largest = max(largest, abs((values[0] - values[1]).item() / (2 * step)))
    return largest


def test_likelihood_is_flat_where_em_ends():
    z = codes(300)
    fitted = GaussianMixture.fit(z, K, steps=500, seed=2, ridge=0.0)
    assert slope(parameters_of(fitted), z) < 1e-5
    early = GaussianMixture.fit(z, K, steps=1, seed=2, ridge=0.0)
    assert slope(parameters_of(early), z) > 1e-2, "the oracle sees a slope"


def test_one_normal_is_that_of_maximum_likelihood():
    z = codes(400) + 100  # far from 0, where squares lose digits
    for steps in (1, 5):
        found = GaussianMixture.fit(z, 1, steps=steps, ridge=1e-3)
        centred = z - z.mean(0)
        want = centred.T @ centred / len(z) + 1e-3 * torch.eye(Z, dtype=z.dtype)
        torch.testing.assert_close(found.weights, torch.ones(1, dtype=z.dtype))
        torch.testing.assert_close(found.means[0], z.mean(0))
        torch.testing.assert_close(found.covariances[0], want)


def test_normal_that_loses_its_codes_has_no_weight_and_spoils_nothing(monkeypatch):
    from gencourse.models.vae import mixture as module

    def without_the_first(*arguments):
        joint = real(*arguments)
        joint[:, 0] = -math.inf
        return joint

    z, real = codes(300), module.log_joint
    monkeypatch.setattr(module, "log_joint", without_the_first)
    found = GaussianMixture.fit(z, K, steps=50)
    assert found.weights[0] == 0
    assert found.weights.sum().item() == pytest.approx(1)
    assert all(t.isfinite().all() for t in (found.means, found.covariances, found.log_prob(z)))
    rest = GaussianMixture(found.weights[1:], found.means[1:], found.covariances[1:])
    torch.testing.assert_close(found.log_prob(z), rest.log_prob(z))
    leaf = z[:5].clone().requires_grad_()
    found.log_prob(leaf).sum().backward()
    assert leaf.grad.isfinite().all()
    assert found.sample(100).isfinite().all()


def test_normal_on_one_code_keeps_the_ridge_as_its_width():
    z = torch.cat([codes(200), torch.full((1, Z), 50.0, dtype=torch.float64)])
    # of the first seeds one draws the last code as a start
    fits = (GaussianMixture.fit(z, 4, steps=2, seed=seed, ridge=1e-2) for seed in range(200))
    found = next(mixture for mixture in fits if mixture.means.max() > 40)
    alone = found.means.norm(dim=1).argmax()
    assert found.weights[alone].item() * len(z) == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(
        found.covariances[alone], 1e-2 * torch.eye(Z, dtype=z.dtype), atol=1e-9, rtol=0
    )


def test_fit_repeats_and_leaves_generator_and_codes_alone():
    z, before = codes(200).float(), torch.get_rng_state()
    first, again, other = (GaussianMixture.fit(z, K, steps=2, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.means, again.means) and not torch.equal(first.means, other.means)
    assert torch.equal(before, torch.get_rng_state()) and torch.equal(z, codes(200).float())
    assert first.means.dtype == first.covariances.dtype == torch.float32


def test_bad_arguments_get_one_sentence():
    z, mixture = codes(20), known()
    with pytest.raises(
        InputError, match=r"codes should be at least as many as normals, 30, got 20"
    ):
        GaussianMixture.fit(z, 30)
    with pytest.raises(InputError, match=r"codes should be floats of shape \(N, D\), got shape"):
        GaussianMixture.fit(z[0], 1)
    with pytest.raises(InputError, match="codes should be finite, got NaN"):
        GaussianMixture.fit(z / 0, 1)
    with pytest.raises(InputError, match="ridge should be at least 0, got -1"):
        GaussianMixture.fit(z, 1, ridge=-1)
    with pytest.raises(InputError, match=r"positive definite.*larger ridge"):
        GaussianMixture.fit(torch.cat([z, 0 * z], 1), 1, ridge=0.0)
    with pytest.raises(InputError, match=r"z should have shape \(N, 2\), got \(20, 4\)"):
        mixture.log_prob(torch.cat([z, z], 1))
    with pytest.raises(InputError, match=r"z should have the mixture's precision, float64, got fl"):
        mixture.log_prob(z.float())
    with pytest.raises(InputError, match=r"weights should have shape \(3,\)"):
        GaussianMixture(mixture.weights[:2], mixture.means, mixture.covariances)
    with pytest.raises(InputTypeError, match="n should be a whole number"):
        mixture.sample(2.5)
