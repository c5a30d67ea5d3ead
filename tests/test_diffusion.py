"""Paths, conversions, exact answers and losses of diffusion against finite differences, quadrature
and closed forms; each oracle fails for the slips that people make.
"""

import math

import pytest
import torch
from torch import distributions as D

from gencourse.errors import InputError
from gencourse.models import diffusion as df
from gencourse.runtime import seeded

DOUBLE = torch.float64
PATHS = {
    "linear": df.linear(),
    "cosine": df.cosine(),
    "cosine, s = 0": df.cosine(0.0),
    "linear beta": df.linear_beta(),
    "ve": df.ve(10.0),
}
MEANS = torch.tensor([[-1.5, 0.5], [1.0, 1.0], [0.3, -2.0]], dtype=DOUBLE)
STDS = torch.tensor([0.4, 0.7, 0.2], dtype=DOUBLE)
WEIGHTS = torch.tensor([0.5, 0.2, 0.3], dtype=DOUBLE)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed), dtype=DOUBLE)


def uniform(*shape, seed=0):
    return torch.rand(*shape, generator=seeded(seed), dtype=DOUBLE)


def close(found, wanted, atol=1e-9, rtol=1e-9):
    torch.testing.assert_close(
        torch.as_tensor(found, dtype=DOUBLE), torch.as_tensor(wanted, dtype=DOUBLE),
        atol=atol, rtol=rtol,
    )  # fmt: skip


def has_power(oracle, right, slips):
    """The oracle accepts what is right, and none of the slips."""
    oracle(right)
    for name, slip in slips.items():
        with pytest.raises(AssertionError):
            oracle(slip)
            print(name)  # what the report shows if nothing was raised


# --- paths


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_slopes_are_derivatives_of_the_levels(path):
    t, h = torch.linspace(0.05, 0.95, 19, dtype=DOUBLE), 1e-6
    above, below = path.levels(t + h), path.levels(t - h)
    for slope, a, b in zip(path.slopes(t), above, below, strict=True):
        close(slope, (a - b) / (2 * h), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_data_are_at_0_and_noise_is_at_1(path):
    close(torch.stack(path.levels(0.0)), [1.0, 0.0])
    _, sigma = path.levels(1.0)
    assert path.snr(1.0) < 1.1e-2 and sigma > 0.999
    assert path.snr(0.0).isinf()
    t = torch.linspace(0.01, 1, 50, dtype=DOUBLE)
    assert (path.snr(t).diff() < 0).all(), "noise only grows"


@pytest.mark.parametrize("name", ["cosine", "cosine, s = 0", "linear beta"])
def test_variance_is_preserved(name):
    alpha, sigma = PATHS[name].levels(torch.linspace(0, 1, 9, dtype=DOUBLE))
    close(alpha**2 + sigma**2, torch.ones(9))


def test_perturb_takes_a_level_for_each_row():
    x, eps = normal(2, 3, 4, 5), normal(2, 3, 4, 5, seed=1)
    alpha, sigma = torch.tensor([0.9, 0.3], dtype=DOUBLE), torch.tensor([0.2, 1.7], dtype=DOUBLE)

    def oracle(perturb):
        for b in range(2):
            close(perturb(x, eps, alpha, sigma)[b], alpha[b] * x[b] + sigma[b] * eps[b])

    def over(level):
        return level[:, None, None, None]

    slips = {
        "variance_as_std": lambda x, e, a, s: df.perturb(x, e, a, s**2),
        "noise_for_the_batch": lambda x, e, a, s: df.perturb(x, e[:1].expand_as(e), a, s),
        "square_root_twice": lambda x, e, a, s: df.perturb(x, e, a.sqrt(), s.sqrt()),
        "first_level_for_all": lambda x, e, a, s: df.perturb(x, e, a[0], s[0]),
        "swapped": lambda x, e, a, s: over(s) * x + over(a) * e,
    }
    has_power(oracle, df.perturb, slips)
    with pytest.raises(InputError, match=r"alpha should be a number or have shape \(2,\)"):
        df.perturb(x, eps, torch.ones(5), sigma)
    with pytest.raises(InputError, match="shape"):
        df.perturb(x, eps[:, :1], alpha, sigma)


def test_terminal_signal_to_noise_is_the_known_one():
    known = {1000: 4.0e-5, 500: 0.0064, 400: 0.0178, 300: 0.050, 200: 0.152, 100: 0.571, 50: 1.52}

    def oracle(bars):
        for T, value in known.items():
            assert df.terminal_snr(bars(df.linear_betas(T))) == pytest.approx(value, rel=0.02)

    slips = {
        "product_of_beta": lambda b: b.cumprod(0),
        "one_step_less": lambda b: df.alpha_bars(b)[:-1],
        "betas_as_alphas": lambda b: torch.cat([torch.ones(1), 1 - b]),
        "root": lambda b: df.alpha_bars(b).sqrt(),
    }
    has_power(oracle, df.alpha_bars, slips)
    stable = df.alpha_bars(df.scaled_linear_betas())
    assert df.terminal_snr(stable) == pytest.approx(0.0047, rel=0.01)
    df.check_terminal_snr(df.alpha_bars(df.linear_betas(1000)))
    for T in (400, 50):
        with pytest.raises(InputError, match="signal-to-noise ratio should be at most"):
            df.check_terminal_snr(df.alpha_bars(df.linear_betas(T)))


def test_first_level_is_data_and_the_list_is_aligned():
    betas = df.linear_betas(7)
    bars = df.alpha_bars(betas)
    assert bars[0] == 1 and len(bars) == 8
    for n in range(7):
        close(bars[n + 1] / bars[n], 1 - betas[n])
    with pytest.raises(InputError, match="betas should"):
        df.alpha_bars(1 - df.cosine_betas(5) * 0 - 1)


def test_cosine_schedule_has_its_known_values():
    close(df.cosine().alpha(torch.tensor(0.5, dtype=DOUBLE)) ** 2, 0.4938, atol=5e-5)
    assert df.cosine_betas(largest=1.0)[-1].item() == pytest.approx(1)
    assert df.cosine_betas().max() == 0.999
    bars = df.alpha_bars(df.cosine_betas(100))
    close(bars[:-1], df.cosine().alpha(torch.linspace(0, 1, 101, dtype=DOUBLE))[:-1] ** 2)


def test_ddpms_steps_are_the_continuous_path():
    bars = df.alpha_bars(df.linear_betas(1000))
    t = torch.tensor([0.1, 0.35, 0.8], dtype=DOUBLE)
    close(df.linear_beta().alpha(t) ** 2, bars[(1000 * t).round().long()], atol=1e-3)


# --- conversions


def some_pair(t):
    return normal(6, 2), normal(6, 2, seed=1), t


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("t", [0.1, 0.5, 0.9])
def test_five_names_are_one_thing(path, t):
    x, eps, _ = some_pair(t)
    x_t, (alpha, sigma) = path.perturb(x, eps, t), path.levels(t)
    truth = {
        "x": x, "eps": eps, "v": alpha * eps - sigma * x, "u": path.velocity(x, eps, t),
        "score": -eps / sigma,
    }  # fmt: skip
    assert set(truth) == set(df.KINDS)
    for source, value in truth.items():
        for target, wanted in truth.items():
            close(df.convert(value, source, target, x_t, path, t), wanted, atol=1e-7, rtol=1e-7)


def test_short_forms_agree_with_the_general_one():
    path, t = df.ve(3.0), 0.4  # α² + σ² is not 1
    x, eps, _ = some_pair(t)
    (a, s), x_t = path.levels(t), path.perturb(x, eps, t)
    v, score = df.v_from_pair(x, eps, a, s), df.score_from_eps(eps, s)
    for found, wanted in (
        (df.x_from_eps(x_t, eps, a, s), x),
        (df.eps_from_x(x_t, x, a, s), eps),
        (df.x_from_v(x_t, v, a, s), x),
        (df.eps_from_v(x_t, v, a, s), eps),
        (df.score_from_x(x_t, x, a, s), score),
        (df.x_from_score(x_t, score, a, s), x),
        (df.convert(v, "v", "score", x_t, path, t), score),
    ):
        close(found, wanted)


def test_sign_and_order_of_v_are_seen():
    path = df.cosine()
    x, eps, t = normal(5, 2), normal(5, 2, seed=1), uniform(5) * 0.8 + 0.1
    (a, s), x_t = path.levels(t), path.perturb(x, eps, t)

    def oracle(v):
        close(df.x_from_v(x_t, v(x, eps, a, s), a, s), x)

    slips = {
        "sign": lambda x, e, a, s: -df.v_from_pair(x, e, a, s),
        "swapped": lambda x, e, a, s: df.v_from_pair(x, e, s, a),
        "sum": lambda x, e, a, s: df.v_from_pair(x, e, a, -s),
    }
    has_power(oracle, df.v_from_pair, slips)


def test_what_is_lost_at_which_end():
    x, eps, _ = some_pair(0)
    linear, cosine = df.linear(), df.cosine(0.0)
    for t in (0.0, 1.0):  # u on the linear path and v on a variance-preserving one are good at both
        x_t = linear.perturb(x, eps, t)
        found = df.pair_from(eps - x, "u", x_t, linear, t)
        close(torch.stack(found), torch.stack([x, eps]))
        found = df.pair_from(
            df.v_from_pair(x, eps, *cosine.levels(t)), "v", cosine.perturb(x, eps, t), cosine, t
        )
        close(torch.stack(found), torch.stack([x, eps]))
    assert not df.eps_from_x(x, x, *linear.levels(0.0)).isfinite().any(), "x_t is x: no noise in it"
    assert not df.x_from_eps(eps, eps, *linear.levels(1.0)).isfinite().any()
    late = linear.perturb(x, eps, 0.999)
    amplified = df.x_from_eps(late, eps + 1e-3, *linear.levels(0.999)) - x
    assert amplified.abs().min() > 0.5, "σ/α = 999 times the error of ε"


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="kind should be one of x, eps, v, u, score"):
        df.convert(normal(2, 2), "epsilon", "x", normal(2, 2), df.linear(), 0.5)
    with pytest.raises(InputError, match="kind should be one of"):
        df.weight_of("noise", df.linear(), 0.5)


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("kind", df.KINDS)
def test_weights_are_what_errors_of_x_become(path, kind):
    t, x_t, x = 0.3, normal(4, 2), normal(4, 2, seed=1)
    wrong = x + 0.1 * normal(4, 2, seed=2)
    difference = df.convert(wrong, "x", kind, x_t, path, t) - df.convert(x, "x", kind, x_t, path, t)
    ratio = difference.square().sum(1) / (wrong - x).square().sum(1)
    close(ratio, df.weight_of(kind, path, t).expand(4), rtol=1e-8)


def test_weights_have_their_short_forms():
    t = torch.tensor([0.2, 0.6], dtype=DOUBLE)
    vp, linear = df.cosine(), df.linear()
    close(df.weight_of("eps", vp, t), vp.snr(t))
    close(df.weight_of("v", vp, t), vp.snr(t) + 1)
    close(df.weight_of("u", linear, t), 1 / t**2)
    close(df.weight_of("u", linear, t), (1 + linear.snr(t).sqrt()) ** 2)
    close(df.min_snr_weight(*vp.levels(t)), vp.snr(t).clamp(max=5))
    assert df.min_snr_weight(0.0, 1.0) == 0, "zero signal is no reason for NaN"
    out = df.preconditioning(1.0, t, 0.5).out
    close(df.edm_weight(t, 0.5), 1 / out**2)


# --- exact answers on a mixture


def mixture():
    return df.isotropic_mixture(MEANS, STDS, WEIGHTS)


def log_density(x_t, alpha, sigma):
    """log p_t by torch.distributions."""
    stds = (alpha**2 * STDS**2 + sigma**2).sqrt()[:, None].expand(3, 2)
    parts = D.Independent(D.Normal(alpha * MEANS, stds), 1)
    return D.MixtureSameFamily(D.Categorical(WEIGHTS), parts).log_prob(x_t)


def slopes_of(function, x, h=1e-5):
    columns = []
    for d in range(x.shape[1]):
        step = torch.zeros_like(x)
        step[:, d] = h
        columns.append((function(x + step) - function(x - step)) / (2 * h))
    return torch.stack(columns, 1)


def test_score_of_the_mixture_is_the_slope_of_its_log_density():
    x = 2 * normal(20, 2, seed=3)

    def oracle(score):
        for alpha, sigma in ((1.0, 0.5), (0.6, 0.8), (0.1, 1.0)):
            truth = slopes_of(lambda y: log_density(y, alpha, sigma), x)  # noqa: B023
            close(score(x, alpha, sigma, MEANS, STDS, WEIGHTS), truth, atol=1e-6, rtol=1e-6)

    s, flat = df.mixture_score, torch.full_like(WEIGHTS, 1 / 3)
    slips = {
        "no_noise_variance": lambda x, a, n, m, d, w: s(x, a, 0.0, m, d, w),
        "no_weights": lambda x, a, n, m, d, w: s(x, a, n, m, d, flat),
        "alpha_missing_on_means": lambda x, a, n, m, d, w: s(x, a, n, m / a, d, w),
        "alpha_missing_on_stds": lambda x, a, n, m, d, w: s(x, a, n, m, d / a, w),
        "sigma_for_its_square": lambda x, a, n, m, d, w: s(x, a, n**0.5, m, d, w),
        "first_component": lambda x, a, n, m, d, w: s(x, a, n, m[:1], d[:1], w[:1]),
        "sign": lambda *given: -s(*given),
    }
    has_power(oracle, s, slips)


def test_levels_may_differ_from_row_to_row():
    x, t, path = normal(5, 2), uniform(5), df.linear()
    alpha, sigma = path.levels(t)
    exact = df.ExactDiffusion(mixture(), path)
    for b in range(5):
        one, (a, s) = x[b : b + 1], (alpha[b].item(), sigma[b].item())
        for function in (df.mixture_score, df.mixture_denoiser, df.mixture_responsibilities):
            rows = function(x, alpha, sigma, MEANS, STDS, WEIGHTS)
            close(rows[b], function(one, a, s, MEANS, STDS, WEIGHTS)[0])
        for name in ("score", "denoise", "velocity", "log_prob", "posterior_variance"):
            method = getattr(exact, name)
            close(method(x, t)[b], method(one, t[b].item())[0])


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_two_ways_to_the_exact_fields_agree(path):
    exact, x, t = df.ExactDiffusion(mixture(), path), normal(9, 2), 0.37
    a, s = path.levels(t)
    close(exact.log_prob(x, t), log_density(x, a, s))
    close(exact.score(x, t), df.mixture_score(x, a, s, MEANS, STDS, WEIGHTS))
    close(exact.denoise(x, t), df.mixture_denoiser(x, a, s, MEANS, STDS, WEIGHTS))
    close(exact.noise(x, t), df.eps_from_x(x, exact.denoise(x, t), a, s))
    close(exact.velocity(x, t), df.convert(exact.score(x, t), "score", "u", x, path, t))
    close(exact.score(x, t), df.score_from_x(x, exact.denoise(x, t), a, s), rtol=1e-7)


def correlated():
    covariances = torch.tensor([[[1.0, 0.9], [0.9, 1.0]], [[0.5, -0.2], [-0.2, 0.3]]], dtype=DOUBLE)
    means = torch.tensor([[0.0, 0.0], [2.0, -1.0]], dtype=DOUBLE)
    return df.GaussianMixture(torch.tensor([0.7, 0.3], dtype=DOUBLE), means, covariances)


def test_any_covariances_are_exact_too():
    mix, path, t = correlated(), df.linear(), 0.4
    exact, x = df.ExactDiffusion(mix, path), normal(20, 2)
    at_t = df.marginal(mix, *(level.item() for level in path.levels(t)))
    close(exact.log_prob(x, t), at_t.log_prob(x))
    close(exact.score(x, t), slopes_of(at_t.log_prob, x), atol=1e-6)
    # E[x | x_t] and the trace of its covariance by weighing many draws of x
    draws = mix.sample(60_000, seed=1)
    log_w = -(x[:3, None] - 0.6 * draws).square().sum(2) / (2 * 0.4**2)
    w = log_w.softmax(1)
    mean = w @ draws
    close(exact.denoise(x[:3], t), mean, atol=0.02, rtol=0)
    spread = (w * (draws - mean[:, None]).square().sum(2)).sum(1)
    close(exact.posterior_variance(x[:3], t), spread, atol=0.02, rtol=0)
    draws = exact.sample(40_000, t, seed=2), at_t.sample(40_000, seed=3)
    close(draws[0].T.cov(), draws[1].T.cov(), atol=0.03, rtol=0)
    with pytest.raises(InputError, match="x_t should have shape"):
        exact.denoise(normal(4, 3), t)


def test_tweedies_formula_on_a_normal():
    m, s, a, n = 0.7, 0.5, 0.6, 0.8
    x_t = normal(9, 1)
    mean = m + a * s**2 * (x_t - a * m) / (a**2 * s**2 + n**2)

    def oracle(tweedie):
        close(tweedie(x_t, mean, a, n), -(x_t - a * m) / (a**2 * s**2 + n**2))

    slips = {
        "sigma_for_its_square": lambda x, h, a, n: (a * h - x) / n,
        "sign": lambda x, h, a, n: (x - a * h) / n**2,
        "for_alpha_1": lambda x, h, a, n: (h - x) / n**2,
        "x_t_scaled": lambda x, h, a, n: (a * h - a * x) / n**2,
    }
    has_power(oracle, df.score_from_x, slips)


def test_optimal_denoiser_of_two_points_is_a_tanh():
    train, x = torch.tensor([[-1.0], [1.0]], dtype=DOUBLE), torch.linspace(-2, 2, 9, dtype=DOUBLE)

    def oracle(denoiser):
        for sigma in (0.2, 0.7, 3.0, 1e-9):
            close(denoiser(x[:, None], sigma, train)[:, 0], (x / sigma**2).tanh(), atol=1e-7)

    def unshifted(x, sigma, train):
        w = (-(x - train.T).square() / (2 * sigma**2)).exp()
        return (w / w.sum(1, keepdim=True)) @ train

    def weighed(power, factor, axis=1):
        return lambda x, n, y: (-((x - y.T).abs() ** power) / (factor * n**2)).softmax(axis) @ y

    slips = {
        "no_shift": unshifted,
        "sigma_square_for_twice_it": weighed(2, 1),
        "not_squared": weighed(1, 2),
        "wrong_axis": weighed(2, 2, 0),
    }
    has_power(oracle, df.optimal_denoiser, slips)


def test_optimal_denoiser_copies_the_nearest_and_tends_to_the_mean():
    train, x, rows = normal(7, 2, 3), normal(4, 2, 3, seed=1), torch.full((4,), 1e-3).double()
    nearest = torch.cdist(x.flatten(1), train.flatten(1)).argmin(1)
    close(df.optimal_denoiser(x, rows, train), train[nearest], atol=1e-6)
    close(df.optimal_denoiser(x, 1e4, train), train.mean(0).expand_as(x), atol=1e-4)
    with pytest.raises(InputError, match="train should have rows like x"):
        df.optimal_denoiser(x, 1.0, train[:, :1])


def test_samples_of_the_best_denoiser_of_a_set_are_its_points():
    path, train, held_out = df.linear(), normal(20, 2), normal(200, 2, seed=1)
    denoise, noise = df.copying_denoiser(train, path), normal(100, 2, seed=2)
    copies = df.ddim(denoise, noise, path, df.even_times(60))
    assert df.copying_ratio(copies, train, held_out) < 0.02
    assert df.copying_ratio(normal(200, 2, seed=3), train, held_out) == pytest.approx(1, abs=0.2)


# --- floors, and losses that meet them


def test_floors_of_a_normal_and_of_two_points_are_the_known_ones():
    sigma = torch.tensor([0.1, 0.5, 1.0, 2.0], dtype=DOUBLE)
    close(df.denoiser_floor(1.0, 1.0, sigma), [0.0099, 0.2, 0.5, 0.8], atol=5e-5)
    close(df.noise_floor(1.0, 1.0, sigma), [0.990, 0.8, 0.5, 0.2], atol=5e-4)
    grid, pair = torch.linspace(-20, 20, 40_001, dtype=DOUBLE), torch.tensor([[-1.0], [1.0]])
    for s, floor in ((0.3, 0.001324), (0.5, 0.0686), (1.0, 0.449), (2.0, 0.795)):
        p = D.Normal(1.0, s).log_prob(grid).exp()  # by symmetry one of the points will do
        x_hat = df.optimal_denoiser(grid[:, None], s, pair.double())[:, 0]
        assert torch.trapezoid(p * (1 - x_hat**2), grid).item() == pytest.approx(floor, rel=2e-3)


@pytest.mark.parametrize("s", [0.5, 1.0, 2.0])
def test_floor_of_flow_matching_is_half_pi_s_per_dimension(s):
    t = torch.linspace(0, 1, 20_001, dtype=DOUBLE)
    assert torch.trapezoid(df.velocity_floor(s, t), t).item() == pytest.approx(math.pi * s / 2)
    assert df.flow_matching_floor(s) == pytest.approx(math.pi * s / 2)
    exact = df.ExactDiffusion(df.isotropic_mixture(torch.zeros(1, 2).double(), s), df.linear())
    n = 40_000
    x, eps, t = s * normal(n, 2), normal(n, 2, seed=1), uniform(n, seed=2)

    def oracle(loss):
        assert loss(exact.velocity, x, eps, t).mean().item() == pytest.approx(
            2 * df.flow_matching_floor(s), rel=0.02
        )

    def other(reverse=False, clean=False, mean=False, shared=False):
        def loss(velocity, x, eps, t):
            t = t[0].expand(len(t)) if shared else t
            x_t, u = df.flow_matching_pair(x, eps, t)
            error = velocity(x if clean else x_t, t) - (-u if reverse else u)
            return error.square().mean(1) if mean else error.square().sum(1)

        return loss

    slips = {
        "data_minus_noise": other(reverse=True),
        "fed_the_data": other(clean=True),
        "mean_over_dimensions": other(mean=True),
        "one_time_for_the_batch": other(shared=True),
    }
    if s != 1:  # else data and noise are alike
        slips["time_reversed"] = lambda u, x, e, t: df.flow_matching_loss(u, e, x, t)
    has_power(oracle, df.flow_matching_loss, slips)


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_denoising_loss_of_the_exact_denoiser_is_its_floor(path):
    exact, n = df.ExactDiffusion(mixture(), path), 20_000
    x, eps = mixture().sample(n), normal(n, 2, seed=1)
    t = torch.full((n,), 0.3, dtype=DOUBLE)
    floor = exact.posterior_variance(path.perturb(x, eps, t), t).mean().item()
    loss = df.denoising_loss(exact.denoise, x, eps, t, path).mean().item()
    assert loss == pytest.approx(floor, rel=0.04)
    worse = df.denoising_loss(lambda y, t: exact.denoise(y, t) + 0.3, x, eps, t, path).mean()
    assert worse.item() == pytest.approx(floor + 2 * 0.3**2, rel=0.05)
    weighed = df.denoising_loss(exact.denoise, x, eps, t, path, weight=2 * torch.ones(n))
    close(weighed, 2 * df.denoising_loss(exact.denoise, x, eps, t, path))


def test_denoising_loss_wants_the_data_and_their_own_times():
    path, n = df.cosine(), 20_000
    exact = df.ExactDiffusion(df.isotropic_mixture(torch.zeros(1, 2).double(), 1.0), path)
    x, eps, t = normal(n, 2), normal(n, 2, seed=1), uniform(n, seed=2)
    floor = 2 * df.denoiser_floor(1.0, *path.levels(t)).mean().item()

    def oracle(loss):
        found = loss(exact.denoise, x, eps, t)
        assert found.shape == (n,) and found.mean().item() == pytest.approx(floor, rel=0.03)

    slips = {
        "target_is_the_noise": lambda f, x, e, t: (f(path.perturb(x, e, t), t) - e).square().sum(1),
        "noise_of_another_example": lambda f, x, e, t: (
            df.denoising_loss(f, x.flip(0), e, t, path) * 0
            + (f(path.perturb(x, e, t), t) - x.flip(0)).square().sum(1)
        ),
        "time_of_another_example": lambda f, x, e, t: (
            (f(path.perturb(x, e, t), t.flip(0)) - x).square().sum(1)
        ),
        "mean_over_dimensions": lambda f, x, e, t: df.denoising_loss(f, x, e, t, path) / 2,
        "mean_over_the_batch": lambda f, x, e, t: df.denoising_loss(f, x, e, t, path).mean(),
    }
    has_power(oracle, lambda f, x, e, t: df.denoising_loss(f, x, e, t, path), slips)


def test_flow_matching_pair_ends_at_data_and_noise_and_moves_with_u():
    x, eps = normal(4, 3, 2), normal(4, 3, 2, seed=1)
    t = uniform(4)

    def oracle(pair):
        close(pair(x, eps, 0.0)[0], x)
        close(pair(x, eps, 1.0)[0], eps)
        ahead, behind = (pair(x, eps, t + h)[0] for h in (1e-5, -1e-5))
        close(pair(x, eps, t)[1], (ahead - behind) / 2e-5, atol=1e-6)

    def other(x, eps, t):
        return df.flow_matching_pair(eps, x, t)

    slips = {
        "data_minus_noise": lambda x, e, t: (df.flow_matching_pair(x, e, t)[0], x - e),
        "noise_at_0": other,
        "time_of_the_first": lambda x, e, t: df.flow_matching_pair(
            x, e, t[0] if torch.is_tensor(t) else t
        ),
    }
    oracle(df.flow_matching_pair)
    for name in ("data_minus_noise", "noise_at_0"):
        with pytest.raises(AssertionError):
            oracle(slips[name])
    with pytest.raises(AssertionError):
        close(slips["time_of_the_first"](x, eps, t)[0], df.flow_matching_pair(x, eps, t)[0])


def gauss_hermite(n=80):
    """Nodes and weights of E[f(z)], z from N(0, 1)."""
    import numpy as np

    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    return torch.tensor(nodes), torch.tensor(weights) / math.sqrt(2 * math.pi)


def test_conditional_and_marginal_velocity_have_one_gradient():
    """Two data points and quadrature over the noise: equal to rounding, not up to sampling."""
    z, w = gauss_hermite()
    data, t = torch.tensor([-1.0, 2.0], dtype=DOUBLE), 0.6
    x, eps = data.repeat_interleave(len(z))[:, None], z.repeat(2)[:, None]
    weights = w.repeat(2)[:, None] / 2
    x_t, u = df.flow_matching_pair(x, eps, t)
    marginal_u = (x_t - df.optimal_denoiser(x_t, t, data[:, None], alpha=1 - t)) / t
    slope = torch.tensor([0.3, -0.2], dtype=DOUBLE, requires_grad=True)

    def gradient(target):
        said = slope[0] * x_t + slope[1] * x_t.sin()
        return torch.autograd.grad((weights * (said - target) ** 2).sum(), slope)[0]

    close(gradient(u), gradient(marginal_u), atol=1e-9)
    assert (gradient(u) - gradient(-u)).abs().min() > 0.1, "the oracle sees another target"


def test_implicit_score_matching_is_the_explicit_one_less_a_constant():
    grid = torch.linspace(-9, 9, 6001, dtype=DOUBLE)[:, None]
    means, stds, weights = MEANS[:, :1], STDS, WEIGHTS
    truth = df.mixture_score(grid, 1.0, 0.0, means, stds, weights)
    p = df.isotropic_mixture(means, stds, weights).log_prob(grid).exp()

    def mean(values):
        return torch.trapezoid(p * values, grid[:, 0]).item()

    constant = mean(0.5 * truth[:, 0] ** 2)
    fields = (lambda x: -x, lambda x: x.sin() + 0.3, lambda x: -0.2 * x**3)

    def oracle(implicit):
        for field in fields:
            explicit = mean(df.score_matching_loss(field, grid, truth))
            assert mean(implicit(field, grid)) == pytest.approx(explicit - constant, abs=1e-5)

    def other(half=0.5, sign=1.0):
        def loss(score, x):
            s, trace = df.field_and_divergence(score, x)
            return (half * s.square().sum(1) + sign * trace).detach()

        return loss

    slips = {
        "sign_of_divergence": other(sign=-1.0),
        "no_half": other(half=1.0),
        "no_divergence": other(sign=0.0),
    }
    has_power(oracle, lambda f, x: df.implicit_score_matching_loss(f, x).detach(), slips)


def test_implicit_score_matching_has_gradients_and_is_least_at_the_score():
    x, slope = normal(4000, 2), torch.tensor(-0.5, dtype=DOUBLE, requires_grad=True)
    loss = df.implicit_score_matching_loss(lambda y: slope * y, x)
    assert loss.shape == (4000,)
    (gradient,) = torch.autograd.grad(loss.mean(), slope)
    close(gradient, slope * x.square().sum(1).mean() + 2, rtol=1e-6)  # 0 at -1, for variance 1
    with torch.no_grad(), pytest.raises(InputError, match="gradients should be recorded"):
        df.implicit_score_matching_loss(lambda y: -y, x)


def test_denoising_score_matching_finds_the_score_of_the_noisy_density():
    n, s, sigma = 100_000, 0.5, 0.8
    x, eps = s * normal(n, 1), normal(n, 1, seed=1)
    slopes = torch.linspace(-6, 0, 601, dtype=DOUBLE)
    x_t = x + sigma * eps  # the mean loss is a parabola in the slope
    best = -(x_t * eps).mean() / sigma / x_t.square().mean()
    losses = [
        df.denoising_score_matching_loss(lambda y: k * y, x, eps, sigma).mean().item()  # noqa: B023
        for k in slopes[::20]
    ]
    assert slopes[::20][torch.tensor(losses).argmin()].item() == pytest.approx(best.item(), abs=0.2)
    assert best.item() == pytest.approx(-1 / (s**2 + sigma**2), rel=0.02), "not -1/s², the data's"


def test_times_lie_where_they_should():
    t = df.uniform_times(20_000, seeded(0))
    assert t.min() >= 0 and t.max() <= 1 and t.mean().item() == pytest.approx(0.5, abs=0.01)
    assert df.uniform_times(9, seeded(0), 0.2, 0.3).sub(0.25).abs().max() <= 0.05
    middle = df.logit_normal_times(20_000, seeded(0), mean=1.0)
    assert middle.median().item() == pytest.approx(1 / (1 + math.exp(-1)), abs=0.01)
    assert ((t - 0.5).abs() < 0.25).float().mean() < (
        (df.logit_normal_times(20_000, seeded(0)) - 0.5).abs() < 0.25
    ).float().mean()
