"""The equations and models of chapter 1 against closed forms, torch.distributions, integrals and
finite differences.

Where a test could pass for a wrong formula, it is shown to fail for registered mistakes
(gencourse/checks/vae).
"""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import distributions as D

from gencourse.checks import vae as checks
from gencourse.errors import InputError, InputTypeError
from gencourse.evaluation import dataset_elbo_terms, dataset_iwae_bound, iwae_bound
from gencourse.models import vae as m
from gencourse.runtime import global_seed, seeded

B, Z, H, W = 2, 3, 4, 5


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def tiny(**kwargs):
    with global_seed(0):
        return m.VAE(latent_dim=Z, hidden=7, image_shape=(1, H, W), **kwargs)


def pictures(n=B, seed=0):
    return (torch.rand(n, 1, H, W, generator=seeded(seed)) > 0.5).float()


def test_gaussian_log_density_equals_torch():
    x, mu, logvar = randn(3, B, Z)
    want = D.Independent(D.Normal(mu, (logvar / 2).exp()), 1).log_prob(x)
    torch.testing.assert_close(m.gaussian_log_density(x, mu, logvar), want)


def integral(log_density):
    """The mass of a one-dimensional density N(0.3, exp 1.2) on a grid."""
    x = torch.linspace(-30, 30, 20_001, dtype=torch.float64)[:, None]
    return (
        log_density(x, torch.full_like(x, 0.3), torch.full_like(x, 1.2)).exp().sum() * (x[1] - x[0])
    ).item()


def test_gaussian_density_integrates_to_one():
    assert integral(m.gaussian_log_density) == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize(
    "name", ["constant_left_out", "logvar_not_halved", "divided_by_std", "logvar_as_log_std"]
)
def test_the_integral_has_power(name):
    wrong = next(m.answer for m in checks.gaussian_log_density.mistakes if m.name == name)
    if (
        name == "logvar_as_log_std"
    ):  # a normalised density, but another one: its variance gives it away
        assert integral(wrong) == pytest.approx(1, abs=1e-6)
        x, zero = torch.ones(1, 1), torch.zeros(1, 1)
        assert not torch.isclose(
            wrong(x, zero, zero + 1), m.gaussian_log_density(x, zero, zero + 1)
        )
    else:
        assert abs(integral(wrong) - 1) > 0.1


def test_kl_equals_torch_and_an_average_over_draws():
    mu, logvar = randn(2, B, Z)
    q, p = D.Normal(mu, (logvar / 2).exp()), D.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    torch.testing.assert_close(m.kl_to_standard_normal(mu, logvar), D.kl_divergence(q, p).sum(1))
    with global_seed(0):
        z = q.sample((200_000,))
    drawn = (q.log_prob(z) - p.log_prob(z)).sum(-1)
    error = drawn.std(0) / 200_000**0.5
    assert ((drawn.mean(0) - m.kl_to_standard_normal(mu, logvar)).abs() < 5 * error).all()


def test_kl_is_zero_at_the_prior_and_positive_elsewhere():
    assert m.kl_to_standard_normal(torch.zeros(B, Z), torch.zeros(B, Z)).tolist() == [0, 0]
    assert (m.kl_to_standard_normal(*randn(2, 100, Z)) > 0).all()


VISIBLE_MISTAKES = [  # at variances of ordinary size
    mistake
    for mistake in checks.kl_to_standard_normal.mistakes
    if mistake.name != "constant_added_to_the_variance"
]


@pytest.mark.parametrize("mistake", VISIBLE_MISTAKES, ids=lambda mistake: mistake.name)
def test_the_kl_oracle_has_power(mistake):
    mu, logvar = randn(2, B, Z)
    q, p = D.Normal(mu, (logvar / 2).exp()), D.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    want, got = D.kl_divergence(q, p).sum(1), mistake.answer(mu, logvar)
    assert got.shape != want.shape or not torch.allclose(got, want, atol=1e-3)


def test_reparameterised_draws_have_the_right_moments_and_gradients():
    mu, logvar = torch.tensor([[1.0, -2.0]]), torch.tensor([[1.2, -1.0]])
    z = m.reparameterize(
        mu.expand(100_000, 2),
        logvar.expand(100_000, 2),
        torch.randn(100_000, 2, generator=seeded(0)),
    )
    torch.testing.assert_close(z.mean(0), mu[0], atol=0.03, rtol=0)
    torch.testing.assert_close(z.std(0), (logvar / 2).exp()[0], atol=0.03, rtol=0)
    arguments = [t.requires_grad_() for t in randn(2, B, Z)]
    # finite differences
    assert torch.autograd.gradcheck(
        lambda mu, logvar: m.reparameterize(mu, logvar, randn(B, Z, seed=5)), arguments
    )


def test_bernoulli_equals_torch_and_sums_to_one_over_all_images():
    logits = randn(B, 1, H, W)
    want = D.Independent(D.Bernoulli(logits=logits), 3).log_prob(pictures().double())
    torch.testing.assert_close(m.bernoulli_log_likelihood(logits, pictures().double()), want)
    every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 9).view(-1, 1, 3, 3).double()
    total = m.bernoulli_log_likelihood(randn(1, 1, 3, 3).expand_as(every), every).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-10)


def test_bernoulli_is_finite_at_large_logits():
    logits = torch.full((1, 1, H, W), 200.0)
    assert m.bernoulli_log_likelihood(logits, torch.zeros_like(logits)).item() == pytest.approx(
        -200 * H * W
    )


def test_gaussian_pixels_are_squared_error_with_its_scale():
    x, output, std = torch.rand(B, 1, H, W), torch.rand(B, 1, H, W), 0.3
    constant = H * W * (math.log(std) + 0.5 * math.log(2 * math.pi))
    want = (x - output).square().flatten(1).sum(1) / (2 * std**2) + constant
    torch.testing.assert_close(-m.GaussianPixels(std).log_prob(output, x), want)


def test_loss_is_reconstruction_plus_beta_kl_and_repeats_with_the_noise():
    model, x, eps = tiny(beta=3.0), pictures(), torch.randn(B, Z)
    terms = model.loss(x, eps=eps)
    assert {key: value.shape for key, value in terms.items()} == dict.fromkeys(
        ("loss", "reconstruction", "kl"), (B,)
    )
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + 3 * terms["kl"])
    torch.testing.assert_close(terms["loss"], model.loss(x, eps=eps)["loss"])


def test_bound_is_below_the_likelihood_of_a_vae_by_integration():
    """With two latent numbers p(x) can be integrated on a grid: every bound is below it, and IWAE
    comes close.
    """
    with global_seed(1):
        model = m.VAE(latent_dim=2, hidden=8, image_shape=(1, 2, 3))
    with torch.no_grad():
        for p in model.decoder.parameters():
            p.mul_(2)
        # q close to the prior, which covers every posterior: weights of bounded variance
        model.encoder[-1].weight.mul_(0.1)
        grid = torch.linspace(-6, 6, 241)
        z = torch.cartesian_prod(grid, grid)
        x = (torch.rand(4, 1, 2, 3, generator=seeded(0)) > 0.5).float()
        log_prior = m.gaussian_log_density(z, torch.zeros_like(z), torch.zeros_like(z))
        logits = model.decode(z)
        log_p = torch.stack(
            [
                (m.bernoulli_log_likelihood(logits, image.expand_as(logits)) + log_prior).logsumexp(
                    0
                )
                for image in x
            ]
        )
        log_p = log_p + 2 * (grid[1] - grid[0]).log()
        every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 6).view(-1, 1, 2, 3)
        total = sum(
            (m.bernoulli_log_likelihood(logits, image.expand_as(logits)) + log_prior).exp().sum()
            * (grid[1] - grid[0]) ** 2
            for image in every
        )
    assert total.item() == pytest.approx(1, abs=1e-3)
    elbo = torch.stack(
        [dataset_elbo_terms(model.loss, x, seed=seed)["elbo"] for seed in range(300)]
    ).mean(0)
    tight = dataset_iwae_bound(model.log_weights, x, K=50_000, rows_at_once=200_000)
    assert (elbo < log_p + 0.02).all()
    assert (log_p - elbo).max() > 0.005, "the oracle needs a gap to see"
    torch.testing.assert_close(tight, log_p, atol=0.02, rtol=0)


def orthogonal_model():
    with global_seed(0):
        model = m.LinearGaussianVAE(data_dim=5, latent_dim=2)
    with torch.no_grad():
        model.W.copy_(torch.linalg.qr(randn(5, 2).float())[0] * torch.tensor([2.0, 0.7]))
        model.b.copy_(torch.arange(5.0))
        model.log_std.fill_(math.log(0.6))
        covariance = torch.linalg.inv(torch.eye(2) + model.W.T @ model.W / 0.36)
        model.encoder.weight.copy_(covariance @ model.W.T / 0.36)
        model.encoder.bias.copy_(-model.encoder.weight @ model.b)
        model.logvar.copy_(covariance.diagonal().log())
    return model


def exact_elbo(model, x, mu, logvar):
    """E_q[log p(x given z)] - KL in closed form, for a linear-Gaussian decoder."""
    s2 = (2 * model.log_std).exp()
    squared = (x - mu @ model.W.T - model.b).square().sum(1) + (
        model.W.square() @ logvar.exp().T
    ).sum(0)
    return -0.5 * (5 * (2 * math.pi * s2).log() + squared / s2) - m.kl_to_standard_normal(
        mu, logvar
    )


def test_linear_gaussian_bound_meets_the_exact_likelihood():
    model = orthogonal_model()
    x = model.sample(7, seed=1)
    mu, logvar = model.encode(x)
    torch.testing.assert_close(
        exact_elbo(model, x, mu, logvar), model.log_prob(x), atol=1e-4, rtol=1e-4
    )
    z = m.reparameterize(mu, logvar, torch.randn(7, 2, generator=seeded(2)))
    mean = z @ model.W.T + model.b
    log_w = (
        m.gaussian_log_density(x, mean, (2 * model.log_std).expand_as(mean))
        + m.gaussian_log_density(z, torch.zeros_like(z), torch.zeros_like(z))
        - m.gaussian_log_density(z, mu, logvar)
    )
    # the weights do not depend on z
    torch.testing.assert_close(log_w, model.log_prob(x), atol=1e-3, rtol=1e-4)


def test_a_wrong_posterior_costs_exactly_its_divergence():
    model = orthogonal_model()
    x = model.sample(7, seed=1)
    mu, logvar = model.encode(x)
    for wrong in ((mu + 0.3, logvar), (mu, logvar + 0.9), (0 * mu, 0 * logvar)):
        q, truth = (D.Normal(a, (b / 2).exp()) for a, b in (wrong, (mu, logvar)))
        price = D.kl_divergence(q, truth).sum(1)
        torch.testing.assert_close(
            model.log_prob(x) - exact_elbo(model, x, *wrong), price, atol=1e-3, rtol=1e-3
        )


@pytest.mark.parametrize("mistake", VISIBLE_MISTAKES, ids=lambda mistake: mistake.name)
def test_the_linear_gaussian_oracle_has_power(mistake):
    model = orthogonal_model()
    x = model.sample(7, seed=1)
    mu, logvar = model.encode(x)
    kl = mistake.answer(mu, logvar)
    bound = exact_elbo(model, x, mu, logvar) + m.kl_to_standard_normal(mu, logvar)
    assert kl.shape != (7,) or not torch.allclose(bound - kl, model.log_prob(x), atol=1e-2)


def test_linear_gaussian_posterior_equals_bayes_on_a_grid():
    with global_seed(0):
        model = m.LinearGaussianVAE(data_dim=2, latent_dim=1)
    with torch.no_grad():
        model.W.copy_(torch.tensor([[1.5], [-0.7]]))
    x = torch.tensor([[0.4, -1.1]])
    z = torch.linspace(-8, 8, 4001)[:, None]
    mean = z @ model.W.T + model.b
    log_joint = m.gaussian_log_density(
        x.expand_as(mean), mean, torch.zeros_like(mean)
    ) + m.gaussian_log_density(z, 0 * z, 0 * z)
    posterior = log_joint.softmax(0)
    grid_mean = (posterior * z[:, 0]).sum()
    mu, covariance = model.exact_posterior(x)
    torch.testing.assert_close(mu[0, 0], grid_mean, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        covariance[0, 0], (posterior * (z[:, 0] - grid_mean) ** 2).sum(), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        model.log_prob(x)[0], log_joint.logsumexp(0) + (z[1, 0] - z[0, 0]).log(), atol=1e-4, rtol=0
    )


def test_iwae_grows_with_k_and_stays_below_the_truth():
    model = tiny()
    x = pictures(50)
    few, more, many = (dataset_iwae_bound(model.log_weights, x, K=K).mean() for K in (1, 10, 1000))
    assert few < more < many
    assert iwae_bound(torch.zeros(6, B)).abs().max() < 1e-6


def test_samples_and_reconstructions_are_images_without_graph_and_repeat():
    model = tiny()
    for x in (model.sample(6, seed=1), model.reconstruct(pictures(6))):
        assert x.shape == (6, 1, H, W) and x.min() >= 0 and x.max() <= 1 and not x.requires_grad
    assert torch.equal(model.sample(4, seed=2), model.sample(4, seed=2))
    assert not torch.equal(model.sample(4, seed=2), model.sample(4, seed=3))


def test_decoder_starts_at_the_mean_image():
    mean = torch.rand(1, H, W, generator=seeded(0)) * 0.8 + 0.1
    for pixels in (m.BernoulliPixels(), m.GaussianPixels(0.2)):
        model = tiny(mean_image=mean, pixels=pixels)
        torch.testing.assert_close(model.decode_mean(torch.zeros(1, Z))[0], mean)


def test_conditional_vae_listens_to_the_label():
    with global_seed(0):
        model = m.ConditionalVAE(num_classes=4, latent_dim=Z, hidden=7, image_shape=(1, H, W))
    x, y = pictures(), torch.tensor([0, 3])
    assert model.loss(x, y)["loss"].shape == (B,)
    assert model.sample(torch.tensor([0, 1, 2])).shape == (3, 1, H, W)
    z = torch.zeros(2, Z)
    a, b = model.decode_mean(z, model.one_hot(y))
    assert not torch.allclose(a, b)
    assert model.reconstruct(x, y).shape == x.shape
    elbo = torch.stack(
        [dataset_elbo_terms(model.loss, x, y, seed=seed)["elbo"] for seed in range(200)]
    ).mean(0)
    assert (dataset_iwae_bound(model.log_weights, x, y, K=2000) > elbo).all()
    with pytest.raises(InputError, match=r"y should lie in 0\.\.3"):
        model.loss(x, torch.tensor([0, 4]))
    with pytest.raises(InputTypeError, match=r"y should be whole numbers \(B,\)"):
        model.loss(x, torch.tensor([0.0, 1.0]))


BAD_IMAGES = {
    "wrong shape": (
        torch.zeros(B, 1, H, W + 1),
        InputError,
        r"x should have shape \(B, 1, 4, 5\), got \(2, 1, 4, 6\)",
    ),
    "no batch": (torch.zeros(1, H, W), InputError, r"x\[None\]"),
    "bytes": (
        torch.zeros(B, 1, H, W, dtype=torch.uint8),
        InputTypeError,
        "got uint8. Divide bytes by 255",
    ),
    "too large": (
        torch.full((B, 1, H, W), 255.0),
        InputError,
        r"lie in \[0, 1\], got \[255, 255\]",
    ),
    "normalised": (torch.full((B, 1, H, W), -0.5), InputError, "leave out any mean/std"),
    "NaN": (torch.full((B, 1, H, W), float("nan")), InputError, "got NaN"),
    "empty": (torch.zeros(0, 1, H, W), InputError, "empty batch"),
    "array": ([[0.0]], InputTypeError, "torch.Tensor"),
    "other device": (
        torch.zeros(B, 1, H, W, device="meta"),
        InputError,
        "model's device, cpu, got meta",
    ),
}


@pytest.mark.parametrize("bad", BAD_IMAGES)
def test_bad_images_get_one_sentence(bad):
    x, kind, words = BAD_IMAGES[bad]
    with pytest.raises(kind, match=words) as caught:
        tiny().loss(x)
    assert str(caught.value).startswith("VAE.encode: x should ")


def test_bad_arguments_get_one_sentence():
    with pytest.raises(
        InputError, match=r"logvar should have the shape of mu, \(2, 3\), got \(3,\)"
    ):
        m.kl_to_standard_normal(torch.zeros(B, Z), torch.zeros(Z))
    with pytest.raises(InputError, match=r"z should have shape \(B, 3\)"):
        tiny().decode(torch.zeros(2, Z + 1))
    with pytest.raises(InputError, match="std should be positive"):
        m.GaussianPixels(0)
    with pytest.raises(InputError, match="latent_dim should be at least 1"):
        m.VAE(latent_dim=0)
    with pytest.raises(InputTypeError, match="whole number"):
        tiny().sample(2.5)


@pytest.mark.parametrize("pixels", [m.BernoulliPixels(), m.GaussianPixels(0.3)], ids=["0/1", "std"])
def test_draws_of_pixels_have_the_distribution_that_log_prob_states(pixels):
    output, n = torch.randn(1, 1, H, W, generator=seeded(0)), 20_000
    drawn = pixels.draw(output.expand(n, 1, H, W), seeded(1))
    if isinstance(pixels, m.BernoulliPixels):
        assert set(drawn.unique().tolist()) == {0.0, 1.0}
        kind = D.Bernoulli(logits=output[0])
    else:
        kind = D.Normal(output[0], 0.3)
    mean, variance = kind.mean, kind.variance
    assert ((drawn.mean(0) - mean).abs() < 4.5 * (variance / n).sqrt()).all()
    torch.testing.assert_close(drawn.var(0), variance, atol=0.01, rtol=0.06)
    # the mean of -log p over draws is the entropy
    nll = -pixels.log_prob(output.expand_as(drawn), drawn)
    error = nll.std().item() / math.sqrt(n)
    assert nll.mean().item() == pytest.approx(kind.entropy().sum().item(), abs=4.5 * error)
    # pixels are independent given the code
    pair = drawn.flatten(1)[:, :2]
    assert pair.T.corrcoef()[0, 1].abs() < 0.03
    assert torch.equal(pixels.draw(output, seeded(2)), pixels.draw(output, seeded(2)))


@pytest.mark.parametrize("pixels", [m.BernoulliPixels(), m.GaussianPixels(0.3)], ids=["0/1", "std"])
def test_drawn_samples_are_draws_at_the_codes_of_the_means(pixels):
    model, before = tiny(pixels=pixels), torch.get_rng_state()
    model.decoder[-1].weight.data.mul_(9)
    n = 5000
    means, drawn = model.sample(n, seed=1), model.sample(n, seed=1, draw=True)
    assert torch.equal(drawn, model.sample(n, seed=1, draw=True)) and not drawn.requires_grad
    assert not torch.equal(drawn, model.sample(n, seed=2, draw=True))
    assert torch.equal(before, torch.get_rng_state())
    if isinstance(pixels, m.BernoulliPixels):
        assert set(drawn.unique().tolist()) == {0.0, 1.0}
        for low in (0.0, 0.2, 0.4, 0.6, 0.8):  # of pixels with mean 0.2 to 0.4, such a share is 1
            some = (means >= low) & (means < low + 0.2)
            share = drawn[some].mean().item()
            assert share == pytest.approx(means[some].mean().item(), abs=0.02), low
    else:
        inside = (means > 0) & (means < 1)  # others were clamped
        noise = (drawn - means)[inside]
        assert noise.mean().abs() < 0.01 and noise.std().item() == pytest.approx(0.3, abs=0.01)
        # what was drawn for the codes is not drawn again for the pixels
        codes = torch.randn(n, Z, generator=seeded(1)).flatten()
        assert torch.stack([codes, (drawn - means).flatten()[: n * Z]]).corrcoef()[0, 1].abs() < 0.1


def test_conditional_draws_are_of_the_class_that_is_asked_for():
    with global_seed(0):
        model = m.ConditionalVAE(num_classes=4, latent_dim=Z, hidden=7, image_shape=(1, H, W))
    model.decoder[0].weight.data[:, Z:].mul_(9)  # the class decides
    y = torch.tensor([0, 3]).repeat_interleave(4000)
    means, drawn = model.sample(y, seed=1), model.sample(y, seed=1, draw=True)
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    for mean, share in zip(means.split(4000), drawn.split(4000), strict=True):
        torch.testing.assert_close(share.mean(0), mean.mean(0), atol=0.04, rtol=0)
    assert (means[0] - means[-1]).abs().max() > 0.1


def test_loss_of_a_beta_vae_is_minus_the_elbo_at_one_only():
    model, x, eps = tiny(), pictures(), torch.randn(B, Z, generator=seeded(0))
    terms = model.loss(x, eps=eps)
    elbo = -(terms["reconstruction"] + terms["kl"])
    for beta in (0.5, 1.0, 4.0):
        loss = m.beta_vae_loss(terms["reconstruction"], terms["kl"], beta)
        torch.testing.assert_close(loss + elbo, (beta - 1) * terms["kl"])
        assert torch.allclose(loss, -elbo) is (beta == 1)


def test_silu_keeps_less_of_a_variance_than_he_assumes():
    """The numbers of mlp's docstring, as integrals over N(0, 1)."""
    z = torch.linspace(-12, 12, 24_001, dtype=torch.float64)
    density = (-z.square() / 2).exp() / math.sqrt(2 * math.pi) * (z[1] - z[0])
    relu, silu = ((f(z).square() * density).sum().item() for f in (torch.relu, F.silu))
    assert relu == pytest.approx(0.5, abs=1e-6)
    assert silu == pytest.approx(0.356, abs=5e-4) and 2 * silu == pytest.approx(0.71, abs=5e-3)
    with global_seed(0):
        network = m.mlp(3000, 3000, 2)
    first = network[0](torch.randn(200, 3000, generator=seeded(0)) / math.sqrt(2))
    assert first.var().item() == pytest.approx(1, abs=0.05)
    with global_seed(0):
        second = torch.nn.init.kaiming_normal_(torch.empty(3000, 3000), nonlinearity="relu")
    assert (F.silu(first) @ second.T).var().item() == pytest.approx(0.71, abs=0.05)


def two_normals():
    return m.GaussianMixture(
        torch.tensor([0.25, 0.75]),
        torch.tensor([[1.0] * Z, [-1.0] * Z]),
        torch.eye(Z).repeat(2, 1, 1),
    )


def test_a_mixture_as_the_prior_is_in_the_loss_the_weights_and_the_samples():
    model, x, eps = tiny(), pictures(), torch.randn(B, Z, generator=seeded(1))
    model.prior = two_normals()
    q = model.encode(x)
    z = m.reparameterize(*q, eps)
    kl = D.Independent(D.Normal(q.mu, (q.logvar / 2).exp()), 1).log_prob(z) - model.prior.log_prob(
        z
    )
    terms = model.loss(x, eps=eps)
    torch.testing.assert_close(terms["kl"], kl)
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + kl)
    elbo = model.log_weights(x, K=20_000, generator=seeded(0)).mean(0)
    many = torch.stack([-model.loss(x)["loss"] for _ in range(2_000)])
    torch.testing.assert_close(many.mean(0), elbo, atol=0.15, rtol=0)
    model.decoder = torch.nn.Linear(Z, H * W)
    torch.testing.assert_close(
        model.sample(9, seed=3), model.decode_mean(model.prior.sample(9, seed=3))
    )
    first = two_normals().sample(9, seed=3)
    bits = torch.bernoulli(model.decode_mean(first), generator=seeded(3))
    assert not torch.equal(model.sample(9, seed=3, draw=True), bits), "pixels by the codes' numbers"


def test_several_draws_make_the_loss_the_importance_weighted_bound():
    K, model, x = 3, tiny(), pictures()
    eps = torch.randn(K * B, Z, generator=seeded(1))
    elbos = torch.stack([drawn_elbo(model, x, part) for part in eps.split(B)])  # (K, B)
    model.draws = K
    terms = model.loss(x, eps=eps)
    torch.testing.assert_close(terms["loss"], -iwae_bound(elbos))
    torch.testing.assert_close(-terms["reconstruction"] - terms["kl"], elbos.mean(0))
    assert model.loss(x)["loss"].shape == (B,)


def drawn_elbo(model, x, eps):
    """log p(x, z) - log q(z given x) at one draw, by torch's densities."""
    q = model.encode(x)
    z = m.reparameterize(*q, eps)
    own, prior = D.Normal(q.mu, (q.logvar / 2).exp()), D.Normal(0.0, 1.0)
    return model.pixels.log_prob(model.decode(z), x) + (prior.log_prob(z) - own.log_prob(z)).sum(1)
