"""Change of variables, coupling layers, likelihood along the ODE, networks and the model, and the
translation of other conventions.
"""

import itertools
import math

import pytest
import torch
from torch import distributions as D

from gencourse.data import minibatches, points
from gencourse.errors import InputError
from gencourse.figures import plane_grid
from gencourse.models import diffusion as df
from gencourse.runtime import global_seed, seeded
from gencourse.training import check_model, fit
from tests.test_diffusion import DOUBLE, close, has_power, mixture, normal, uniform

# --- change of variables and coupling


def test_change_of_variables_gives_known_densities():
    x = uniform(20, 1) * 0.98 + 0.01

    def log_normal(z):
        return D.Normal(0.0, 1.0).log_prob(z).sum(1)

    def oracle(change):
        close(change(x, torch.logit, log_normal), df.logit_normal_log_prob(x)[:, 0], atol=1e-7)

    def slip(sign=1.0, forward=False):
        def log_prob(x, inverse, base):
            z = inverse(x)
            points_at, function = (z, torch.sigmoid) if forward else (x, inverse)
            return base(z) + sign * torch.linalg.slogdet(df.jacobian(function, points_at)).logabsdet

        return log_prob

    slips = {
        "sign": slip(sign=-1.0),
        "jacobian_of_the_forward_map": slip(forward=True),
        "no_determinant": slip(sign=0.0),
    }
    has_power(oracle, df.change_of_variables, slips)
    grid = torch.linspace(1e-6, 1 - 1e-6, 20_001, dtype=DOUBLE)
    total = torch.trapezoid(df.logit_normal_log_prob(grid).exp(), grid)
    assert total.item() == pytest.approx(1, abs=1e-4)
    close(df.logistic_map(torch.logit(x)), x)


def test_determinant_of_polar_coordinates_is_the_radius():
    z = torch.stack([uniform(9) + 0.5, uniform(9, seed=1)], 1)
    close(torch.linalg.det(df.jacobian(df.polar_to_plane, z)), z[:, 0])


def test_coupling_has_its_inverse_and_its_determinant():
    x, log_scale, shift = normal(5, 3), normal(5, 3, seed=1), normal(5, 3, seed=2)

    def oracle(coupling):
        z, log_det = coupling(x, log_scale, shift)
        close(df.affine_coupling_inverse(z, log_scale, shift), x)
        assert log_det.shape == (5,)
        for b in range(5):
            one = torch.autograd.functional.jacobian(
                lambda y: coupling(y[None], log_scale[b : b + 1], shift[b : b + 1])[0][0],  # noqa: B023
                x[b],
            )
            close(torch.linalg.slogdet(one).logabsdet, log_det[b])

    right = df.affine_coupling
    slips = {
        "scale_without_exp": lambda x, s, b: (s * x + b, s.sum(1)),
        "sign_of_the_determinant": lambda x, s, b: (right(x, s, b)[0], -s.sum(1)),
        "shift_first": lambda x, s, b: (s.exp() * (x + b), s.sum(1)),
        "mean_for_sum": lambda x, s, b: (right(x, s, b)[0], s.mean(1)),
        "product_of_scales": lambda x, s, b: (right(x, s, b)[0], s.exp().prod(1)),
        "one_for_the_batch": lambda x, s, b: (right(x, s, b)[0], s.sum()),
    }
    has_power(oracle, right, slips)


def small_flow(dim=2, layers=4):
    with global_seed(0):
        return df.NormalizingFlow(dim, layers, 16).double()


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_flow_is_invertible_and_knows_its_determinant(dim):
    flow, x = small_flow(dim), normal(6, dim)
    z, log_det = flow(x)
    close(flow.inverse(z), x, atol=1e-9)
    close(log_det, torch.linalg.slogdet(df.jacobian(lambda y: flow(y)[0], x)).logabsdet, atol=1e-8)
    close(
        flow.log_prob(x),
        df.change_of_variables(x, lambda y: flow(y)[0], df.standard_normal_log_prob),
        atol=1e-8,
    )
    for layer, stays in (
        (flow.layers[0], slice(0, dim // 2)),
        (flow.layers[1], slice(dim // 2, dim)),
    ):
        assert torch.equal(layer(x)[0][:, stays], x[:, stays])
    with pytest.raises(InputError, match="x should have shape"):
        flow.log_prob(normal(6, dim + 1))


def test_density_of_a_flow_integrates_to_one_and_samples_follow_it():
    flow = small_flow()
    grid, cell = plane_grid(9.0, 241)
    p = flow.log_prob(grid.double()).exp().detach()
    assert (p.sum() * cell).item() == pytest.approx(1, abs=5e-3)
    x = flow.sample(20_000, seed=1)
    close(x.mean(0), (p[:, None] * grid).sum(0) * cell, atol=0.05, rtol=0)
    assert torch.equal(flow.sample(3, seed=1), x[:3]) or flow.sample(3, seed=1).shape == (3, 2)


def test_flow_learns_a_density_that_is_known(capsys):
    data = points("two")
    x = data.sample(2000, seed=0)
    with global_seed(0):
        flow = df.NormalizingFlow(2, 4, 24)
    check_model(flow, x[:4])
    before = flow.log_prob(x).mean().item()
    fit(flow, minibatches(x, batch_size=250, seed=0), steps=60, lr=5e-3, progress=False)
    after, truth = flow.log_prob(x).mean().item(), data.log_prob(x).mean().item()
    assert before + 0.3 < after < truth + 0.05


# --- likelihood along the ODE


def test_hutchinson_is_unbiased_and_has_its_variance():
    A = torch.tensor([[1.0, 2.0], [0.0, -3.0]], dtype=DOUBLE)
    field, t = lambda x, t: x @ A.T, torch.zeros(1).double()

    def values(estimate, probes):
        return torch.stack(
            [estimate(field, torch.ones(1, 2).double(), t, v[None])[1] for v in probes]
        )

    signs = [torch.tensor(v, dtype=DOUBLE) for v in itertools.product((-1, 1), repeat=2)]

    def oracle(estimate):
        found = values(estimate, signs)
        assert found.mean().item() == pytest.approx(-2)
        assert found.var(correction=0).item() == pytest.approx(4)

    def slip(make):
        return lambda f, x, t, v: (f(x, t), make(v, A))

    slips = {
        "one_side": slip(lambda v, A: (v @ A.T).sum(1)),
        "norm_for_product": slip(lambda v, A: (v @ A.T).square().sum(1)),
        "mean_over_dimensions": slip(lambda v, A: ((v @ A.T) * v).mean(1)),
        "signs_forgotten": slip(lambda v, A: ((v.abs() @ A.T) * v).sum(1)),
    }
    has_power(oracle, df.hutchinson, slips)
    u, trace = df.divergence(field, torch.ones(1, 2).double(), t)
    close(u, torch.ones(1, 2).double() @ A.T)
    close(trace, [-2.0])
    assert df.hutchinson_variance(A) == pytest.approx(4)
    assert df.hutchinson_variance(A, "normal") == pytest.approx(24)
    many = df.hutchinson(lambda x, t: x @ A.T, torch.ones(50_000, 2).double(), t, normal(50_000, 2))
    assert many[1].mean().item() == pytest.approx(-2, abs=0.1)
    assert many[1].var().item() == pytest.approx(24, rel=0.05)
    probe = df.sign_probe(torch.zeros(1000, 2), seeded(0))
    assert set(probe.unique().tolist()) == {-1.0, 1.0} and abs(probe.mean().item()) < 0.1


def test_log_likelihood_along_the_ode_is_the_known_density():
    path = df.linear()
    exact, x = df.ExactDiffusion(mixture(), path), mixture().sample(12, seed=1)
    truth, prior = mixture().log_prob(x), df.standard_normal_log_prob
    log_p, end = df.ode_log_prob(exact.velocity, x, df.even_times(80, 0.0, 1.0))
    integral = log_p - prior(end)

    def oracle(found):
        close(found, truth, atol=0.03, rtol=0)

    slips = {
        "sign_of_the_divergence": prior(end) - integral,
        "prior_forgotten": integral,
        "no_divergence": prior(end),
        "data_for_the_end": prior(x) + integral,
    }
    has_power(oracle, log_p, slips)


def test_likelihood_of_a_linear_field_is_a_determinant_and_one_probe_is_unbiased():
    A = torch.tensor([[0.3, 0.5], [-0.2, -0.4]], dtype=DOUBLE)
    x, times = normal(3, 2), df.even_times(60, 0.0, 1.0)
    field = lambda x, t: x @ A.T  # noqa: E731
    log_p, end = df.ode_log_prob(field, x, times)
    flow = torch.linalg.matrix_exp(A)
    close(end, x @ flow.T, atol=1e-4)
    wanted = df.standard_normal_log_prob(x @ flow.T) + torch.linalg.slogdet(flow).logabsdet
    close(log_p, wanted, atol=1e-4)
    signs = [
        torch.tensor(v, dtype=DOUBLE).expand(3, 2) for v in itertools.product((-1, 1), repeat=2)
    ]
    guesses = torch.stack([df.ode_log_prob(field, x, times, v)[0] for v in signs])
    close(guesses.mean(0), wanted, atol=1e-4)
    assert guesses.std(0).min() > 0.1


def test_one_step_of_the_likelihood_is_eulers():
    A, x = torch.tensor([[0.3, 0.5], [-0.2, -0.4]], dtype=DOUBLE), normal(3, 2)
    t, s = torch.tensor([0.2, 0.35], dtype=DOUBLE).unbind()

    def oracle(step):
        y, added = step(lambda x, t: t[:, None] * x @ A.T, x, t, s)
        close(y, x + 0.15 * 0.2 * x @ A.T)
        close(added, torch.full((3,), 0.15 * 0.2 * -0.1))

    right = df.ode_likelihood_step
    slips = {
        "sign": lambda u, x, t, s: (right(u, x, t, s)[0], -right(u, x, t, s)[1]),
        "time_not_advanced": lambda u, x, t, s: right(u, x, t, t),
        "of_the_new_time": lambda u, x, t, s: (right(u, x, t, s)[0], right(u, x, s, 2 * s - t)[1]),
    }
    has_power(oracle, right, slips)


def test_mass_is_kept_by_the_marginal_velocity_alone():
    path = df.linear()
    exact, x, t = df.ExactDiffusion(mixture(), path), normal(8, 2), uniform(8) * 0.8 + 0.1

    def oracle(velocity):
        residual = df.continuity_residual(exact.log_prob, velocity, x, t)
        close(residual, torch.zeros(8), atol=1e-8)

    slips = {
        "score": exact.score,
        "sign": lambda x, t: -exact.velocity(x, t),
        "towards_the_denoised": lambda x, t: exact.denoise(x, t) - x,
    }
    has_power(oracle, exact.velocity, slips)


def test_elbo_lies_below_log_p_and_closes_with_steps():
    path = df.linear_beta()
    exact = df.ExactDiffusion(df.isotropic_mixture(torch.zeros(1, 2).double(), 0.7), path)
    x = 0.7 * normal(3000, 2)
    truth = exact.log_prob(x, 0.0).mean().item()

    def bound(n, denoise=exact.denoise):
        times = torch.exp(torch.linspace(0, math.log(1e-3), n + 1, dtype=DOUBLE))
        terms = df.diffusion_elbo(denoise, x, path, times, seeded(0))
        assert all(value.shape == (3000,) for value in terms.values())
        close(terms["elbo"], -(terms["prior"] + terms["steps"] + terms["reconstruction"]))
        return terms["elbo"].mean().item()

    few, more, many = bound(5), bound(50), bound(200)
    assert few < more - 5 < many - 5 < truth - 5
    assert (truth - more) / (truth - many) == pytest.approx(4, rel=0.3), "the gap falls as 1/n"
    assert bound(200, lambda y, t: exact.denoise(y, t) + 0.1) < many - 0.2


# --- networks


def test_embedding_tells_times_apart():
    t = torch.linspace(0, 1, 101, dtype=DOUBLE)

    def oracle(embedding):
        e = embedding(t, 16)
        assert e.shape == (101, 16)
        close(e.square().sum(1), torch.full((101,), 8.0))
        assert torch.pdist(e).min() > 0.5
        close(e[0], [1.0] * 8 + [0.0] * 8)

    right = df.time_embedding
    slips = {
        "time_not_scaled": lambda t, w: right(t, w, scale=1.0),
        "integers": lambda t, w: right(t.long().double(), w),
        "axes": lambda t, w: right(t, w).T,
        "sines_only": lambda t, w: right(t, 2 * w)[:, w:],
        "one_frequency": lambda t, w: torch.stack([t.cos(), t.sin()], 1).repeat(1, w // 2),
    }
    has_power(oracle, right, slips)
    assert right(t, 7).shape == (101, 7) and (right(t, 7)[:, -1] == 0).all()
    with pytest.raises(InputError, match=r"t should have shape \(B,\)"):
        right(t[:, None], 8)


def test_preconditioning_keeps_variances_at_1_and_is_edms_at_alpha_1():
    sigma = torch.tensor([0.1, 1.0, 7.0], dtype=DOUBLE)
    p = df.preconditioning(1.0, sigma, 0.5)
    close(p.skip, 0.25 / (sigma**2 + 0.25))
    close(p.out, sigma * 0.5 / (sigma**2 + 0.25).sqrt())
    close(p.inside, 1 / (sigma**2 + 0.25).sqrt())
    x, eps = 0.5 * normal(100_000, 1), normal(100_000, 1, seed=1)
    for a, s in ((0.8, 0.6), (0.3, 2.0)):
        skip, out, inside = df.preconditioning(a, s, 0.5)
        x_t = a * x + s * eps
        assert (inside * x_t).var().item() == pytest.approx(1, rel=0.02)
        assert ((x - skip * x_t) / out).var().item() == pytest.approx(1, rel=0.02)
        close(out**2, df.denoiser_floor(0.5, a, s))


def test_network_takes_a_time_for_each_point():
    with global_seed(0):
        network, classes = df.PointNetwork(2, 16), df.PointNetwork(2, 16, num_classes=3)
    x, t = torch.randn(5, 2), torch.rand(5)
    whole = network(x, t)
    for b in range(5):
        close(network(x[b : b + 1], t[b : b + 1])[0], whole[b], atol=1e-5)
    y = torch.tensor([0, 1, 2, 3, 3])
    assert not torch.equal(classes(x, t, y), classes(x, t))
    close(classes(x, t, torch.full((5,), 3)), classes(x, t))
    for call in (
        lambda: network(x, t[:1]), lambda: network(x[:, :1], t), lambda: network(x, t, y),
        lambda: classes(x, t, y + 1),
    ):  # fmt: skip
        with pytest.raises(InputError):
            call()


# --- the model


PREDICTIONS = [
    (predict, path) for predict in df.PREDICTS for path in (df.linear(), df.cosine(0.0), df.ve(5.0))
]


class Perfect(torch.nn.Module):
    """What a network would say that has learned all there is, for data from the mixture."""

    def __init__(self, predict, path):
        super().__init__()
        self.exact, self.predict, self.path = df.ExactDiffusion(mixture(), path), predict, path
        self.nothing = torch.nn.Parameter(torch.zeros(1, dtype=DOUBLE))

    def forward(self, x_t, t):
        if self.predict != "preconditioned":
            x_hat = self.exact.denoise(x_t, t)
            return df.convert(x_hat, "x", self.predict, x_t, self.path, t) + self.nothing
        skip, out, inside = (f[:, None] for f in df.preconditioning(*self.path.levels(t), 1.0))
        x_t = x_t / inside
        return (self.exact.denoise(x_t, t) - skip * x_t) / out + self.nothing


@pytest.mark.parametrize(
    ("predict", "path"), PREDICTIONS, ids=[f"{k}, {p.name}" for k, p in PREDICTIONS]
)
def test_a_perfect_network_gives_the_exact_fields_whatever_it_predicts(predict, path):
    model = df.DiffusionModel(Perfect(predict, path), path, predict)
    exact, x_t, t = model.network.exact, normal(6, 2), uniform(6) * 0.8 + 0.1
    for name in ("denoise", "noise", "score", "velocity"):
        close(getattr(model, name)(x_t, t), getattr(exact, name)(x_t, t), atol=1e-7, rtol=1e-6)
    close(model.denoise(x_t, 0.3), exact.denoise(x_t, 0.3), atol=1e-7)
    # its loss is the weighed floor: nothing of the target is left but what x_t does not tell
    n = 4000
    x, eps, t = mixture().sample(n), normal(n, 2, seed=1), torch.full((n,), 0.5, dtype=DOUBLE)
    loss = model.loss(x, t=t, eps=eps)["loss"]
    assert loss.shape == (n,)
    if predict == "preconditioned":
        weight = 1 / df.preconditioning(*path.levels(t), 1.0).out ** 2
    else:
        weight = df.weight_of(predict, path, t)
    floor = weight * exact.posterior_variance(path.perturb(x, eps, t), t)
    assert loss.mean().item() == pytest.approx(floor.mean().item(), rel=0.1)


def test_models_go_through_the_loop_and_can_be_asked_for_classes(capsys):
    with global_seed(0):
        model = df.DiffusionModel(df.PointNetwork(2, 16, num_classes=2), num_classes=2)
    x, y = torch.randn(8, 2), torch.tensor([0, 1] * 4)
    check_model(model, (x, y))
    torch.manual_seed(0)
    model.drop = 1.0  # all labels hidden: as if there were none
    hidden = model.loss(x, y, t=torch.full((8,), 0.5), eps=torch.ones(8, 2))["loss"]
    close(hidden, model.loss(x, t=torch.full((8,), 0.5), eps=torch.ones(8, 2))["loss"], atol=1e-5)
    t = torch.full((8,), 0.5)
    cond, uncond = model.output(x, t, y), model.output(x, t)
    close(model.velocity(x, t, y, w=3.0), df.guided(cond, uncond, 3.0), atol=1e-5)
    close(model.velocity(x, t, y), cond, atol=1e-5)
    samples = model.sample(8, steps=3, y=y, w=2.0)
    assert samples.shape == (8, 2) and not samples.requires_grad
    assert torch.equal(samples, model.sample(8, steps=3, y=y, w=2.0))
    with pytest.raises(InputError, match="predict should be one of"):
        df.DiffusionModel(df.PointNetwork(), predict="noise")
    with pytest.raises(InputError, match="x should have shape"):
        model.loss(torch.randn(4, 3))


def test_training_comes_down_towards_the_floor_and_not_below():
    data = points("two")
    exact = df.ExactDiffusion(
        df.isotropic_mixture(data.centres, data.stds, data.weights), df.linear()
    )
    x = data.sample(4000, seed=0)
    with global_seed(0):
        model = df.DiffusionModel(df.PointNetwork(2, 32))
        held_out, eps, t = data.sample(4000, seed=1), torch.randn(4000, 2), torch.rand(4000)
        floor = df.flow_matching_loss(exact.velocity, held_out, eps, t).mean().item()
        before = model.loss(held_out, t=t, eps=eps)["loss"].mean().item()
        batches = minibatches(x, batch_size=250, seed=0)
        fit(model, batches, steps=120, lr=5e-3, progress=False)
        after = model.loss(held_out, t=t, eps=eps)["loss"].mean().item()
    assert floor < after < floor + 0.35 * (before - floor)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_trained_network_samples_what_the_exact_field_samples():
    data = points("two")
    x = data.sample(20_000, seed=0)
    with global_seed(0):
        model = df.DiffusionModel(df.PointNetwork(2, 64))
        fit(model, minibatches(x, batch_size=500, seed=0), steps=600, lr=4e-3, progress=False)
    samples = model.sample(4000, steps=50)
    close(samples.abs().mean(0), x.abs().mean(0), atol=0.08, rtol=0)
    assert (samples[:, 0] > 0).float().mean().item() == pytest.approx(0.5, abs=0.05)


# --- translation


def test_denoiser_does_not_depend_on_the_convention():
    mix, x, eps = mixture(), normal(6, 2), normal(6, 2, seed=1)
    vp, linear = df.ExactDiffusion(mix, df.cosine(0.0)), df.ExactDiffusion(mix, df.linear())
    ve = df.ExactDiffusion(mix, df.ve(10.0))
    t = torch.linspace(0.1, 0.9, 6, dtype=DOUBLE)
    x_t, levels = vp.path.perturb(x, eps, t), vp.path.levels(t)
    truth = vp.denoise(x_t, t)
    to_linear, to_ve = df.to_linear(x_t, *levels), df.to_ve(x_t, *levels)
    close(linear.denoise(to_linear.x_t, to_linear.sigma), truth)
    close(to_linear.alpha + to_linear.sigma, torch.ones(6))
    close(ve.denoise(to_ve.x_t, to_ve.sigma / 10), truth)
    back = df.to_vp(*to_ve)
    close(back.x_t, x_t)
    close(torch.stack([back.alpha, back.sigma]), torch.stack(levels))
    sigma = torch.tensor(3.0, dtype=DOUBLE)
    edm = df.to_linear(x + 3 * eps, *df.edm_levels(sigma))
    close(edm.x_t, df.linear().perturb(x, eps, 0.75))


def test_reversed_time_is_translated_by_one_minus_t_and_a_sign():
    x, eps, s = normal(5, 2), normal(5, 2, seed=1), 0.3
    theirs = s * x + (1 - s) * eps, x - eps  # data at time 1
    t, u = df.from_reversed_time(s, theirs[1])
    ours = df.flow_matching_pair(x, eps, t)
    close(theirs[0], ours[0])
    close(u, ours[1])
    assert df.from_reversed_time(*df.from_reversed_time(s, u))[0] == pytest.approx(s)
    # each convention kept is right, and the sign mixed up runs away from the data
    exact = df.ExactDiffusion(mixture(), df.linear())
    noise, times = normal(200, 2), df.even_times(60)
    ours = df.euler(exact.velocity, noise, times)

    def reversed_field(y, s):
        return -exact.velocity(y, 1 - s)

    close(df.euler(reversed_field, noise, df.even_times(60, 0.0, 1.0)), ours, atol=1e-9)
    mixed = df.euler(reversed_field, noise, times)
    assert mixture().log_prob(mixed).mean() < mixture().log_prob(ours).mean() - 1


def test_levels_of_others_are_ours():
    betas = df.linear_betas(1000)
    close(torch.stack(df.ddpm_levels(betas, 0)), [1.0, 0.0])
    bars = (1 - betas).cumprod(0)  # their list, which begins after the first step
    for i in (0, 499, 999):
        close(df.ddpm_levels(betas, i + 1)[0] ** 2, bars[i])
    t = torch.tensor([0.05, 0.5, 1.0], dtype=DOUBLE)
    close(torch.stack(df.score_sde_levels(t)), torch.stack(df.linear_beta().levels(t)))
    close(torch.stack(df.score_sde_levels(0.0, "ve")), [1.0, 0.01])
    close(torch.stack(df.score_sde_levels(1.0, "ve")), [1.0, 50.0])
    with pytest.raises(InputError, match=r"step should lie in 0\.\.1000"):
        df.ddpm_levels(betas, 1001)
    with pytest.raises(InputError, match="kind should be vp or ve"):
        df.score_sde_levels(0.5, "sub-vp")


def after(moves, alpha=1.0, variance=0.0):
    """α and σ after the steps x ← a x + b ε, (a, b) each."""
    for a, b in moves:
        alpha, variance = a * alpha, a**2 * variance + b**2
    return [alpha, variance**0.5]


def along(pull, growth, end, n=10_000):
    """α and σ at time `end` of dx = -pull(t) x dt + √growth(t) dw, from data at 0."""
    h = end / n
    middle = [(i + 0.5) * h for i in range(n)]
    return after((1 - pull(t) * h, (growth(t) * h) ** 0.5) for t in middle)


def close_to_motion(levels):
    """Levels of others beside those that the motion leaves which each of them publishes."""
    ddpm, sde, edm = levels
    betas, rate = df.linear_betas(1000), 2 * math.log(5000)
    for n in (1, 300, 1000):
        steps = [((1 - b) ** 0.5, b**0.5) for b in betas[:n].tolist()]
        close(torch.stack(ddpm(betas, n)), after(steps))
    for t in (0.05, 0.4, 1.0):
        vp = along(lambda t: 0.05 + 9.95 * t, lambda t: 0.1 + 19.9 * t, t)
        close(torch.stack(sde(t, "vp")), vp, atol=5e-4)
        ve = along(lambda t: 0.0, lambda t: rate * 1e-4 * math.exp(rate * t), t)
        ve[1] = (ve[1] ** 2 + 0.01**2) ** 0.5  # it begins with noise of 0.01
        close(torch.stack(sde(t, "ve")), ve, atol=1e-5, rtol=1e-5)
        close(torch.stack(edm(t)), along(lambda t: 0.0, lambda t: 2 * t, t))


def test_levels_of_others_are_what_their_own_motion_leaves():
    def squared(levels, which):  # α² for α, or σ² for σ
        return lambda *where: [
            level ** (2 if i == which else 1) for i, level in enumerate(levels(*where))
        ]

    right = ddpm, sde, edm = df.ddpm_levels, df.score_sde_levels, df.edm_levels
    slips = {
        "alpha_bar": (squared(ddpm, 0), sde, edm),
        "a_step_too_few": (lambda betas, n: ddpm(betas, n - 1), sde, edm),
        "alpha_squared": (ddpm, squared(sde, 0), edm),
        "from_the_other_end": (ddpm, lambda t, kind: sde(1 - t, kind), edm),
        "variance": (ddpm, sde, squared(edm, 1)),
    }
    has_power(close_to_motion, right, slips)


def test_reversed_time_is_where_their_own_velocity_leads():
    """6.S184's velocity (x - x_t)/(1 - t), from noise at 0, leads to our levels at 1 - t."""
    noise = 1.0
    for i in range(100):
        if i in (10, 70, 99):
            alpha, sigma = df.linear().levels(df.from_reversed_time(i / 100, torch.ones(1))[0])
            close(torch.stack([alpha, sigma]), [1 - noise, noise])
        noise -= 0.01 * noise / (1 - i / 100)
