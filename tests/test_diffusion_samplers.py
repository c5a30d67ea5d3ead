"""Samplers, stochastic differential equations, guidance and editing on exact fields: what is wrong
with a sample here is the sampler's, and known as a number.
"""

import itertools
import math

import pytest
import torch

from gencourse.errors import InputError
from gencourse.models import diffusion as df
from tests.test_diffusion import DOUBLE, PATHS, close, has_power, mixture, normal

STEPS = (1, 2, 5, 10, 25, 50)


def one_normal(mean=1.0, std=0.5, path=None):
    means = torch.tensor([[mean]], dtype=DOUBLE)
    return df.ExactDiffusion(df.isotropic_mixture(means, std), path or df.ve(10.0))


def rho_times(n, last="sigma_min"):
    return df.rho_levels(n, 10.0, 0.002, last=last) / 10


def spread_after(sampler, times, last):
    """The deviation of samples over the truth's, from where two points end: the map is affine."""
    x = torch.tensor([[-10.0], [10.0]], dtype=DOUBLE)
    y = sampler(x, times)
    truth = df.gaussian_flow_map(x, 1.0, 0.5, (1.0, 10.0), (1.0, 0.002 if last else 0.0))
    return ((y[1] - y[0]) / (truth[1] - truth[0])).item()


KNOWN = {
    "sigma_min": (0.054, 0.527, 0.680, 0.827, 0.927, 0.963),
    "zero": (0.050, 0.054, 0.636, 0.810, 0.924, 0.962),
}


@pytest.mark.parametrize("last", KNOWN)
def test_few_steps_shrink_the_spread_as_known(last):
    exact = one_normal()

    def oracle(step):
        def sampler(x, times):
            return df.follow(lambda x, t, s: step(exact, x, t, s), x, times)

        for n, known in zip(STEPS, KNOWN[last], strict=True):
            found = spread_after(sampler, rho_times(n, last), last == "sigma_min")
            assert found == pytest.approx(known, abs=1.1e-3)

    def right(exact, x, t, s):
        start, end = exact.path.levels(t), exact.path.levels(s)
        return df.ddim_step(x, exact.denoise(x, t), start, end)

    slips = {
        "noise_of_the_new_time": lambda e, x, t, s: x + (s - t) * e.velocity(x, s.clamp_min(1e-9)),
        "x_hat_forgotten": lambda e, x, t, s: e.denoise(x, t) + e.path.sigma(s) * normal(2, 1),
        "old_level_kept": lambda e, x, t, s: df.ddim_step(
            x, e.denoise(x, t), e.path.levels(t), e.path.levels(t)
        ),
        "other_schedule": lambda e, x, t, s: right(e, x, t**0.9, s**0.9),
    }
    has_power(oracle, right, slips)
    for n in (1, 5):  # the three ways to say it are one
        x = normal(3, 1)
        times = rho_times(n)
        by_ode = df.euler(exact.velocity, x, times)
        close(df.ddim(exact.denoise, x, exact.path, times), by_ode, rtol=1e-7)


def test_the_two_ends_of_the_schedule_are_told_apart():
    both = [
        spread_after(
            lambda x, t: df.ddim(one_normal().denoise, x, df.ve(10.0), t), rho_times(5, end), True
        )
        for end in KNOWN
    ]
    assert abs(both[0] - both[1]) > 0.04
    assert df.rho_levels(5, last="zero")[-1] == 0 and len(df.rho_levels(5)) == 6
    close(df.rho_levels(5, 10.0, 0.002, last="sigma_min")[[0, -1]], [10.0, 0.002])
    with pytest.raises(InputError, match="last should be one of sigma_min, zero"):
        df.rho_levels(5, last="none")


def orders(sampler, most=6):
    """Slopes of the error over 8, 16, ..., 2 ** most steps on N(1, .5²)."""
    x = torch.linspace(-20, 20, 5, dtype=DOUBLE)[:, None]
    truth = df.gaussian_flow_map(x, 1.0, 0.5, (1.0, 10.0), (1.0, 0.002))
    errors = [(sampler(x, rho_times(2**k)) - truth).abs().max().item() for k in range(3, most + 1)]
    return [math.log2(a / b) for a, b in itertools.pairwise(errors)]


def test_euler_has_order_1_and_heun_order_2():
    exact = one_normal()
    u, rows = exact.velocity, lambda t, x: t.expand(len(x))
    close(orders(lambda x, t: df.euler(u, x, t), 8), [0.92, 0.96, 0.98, 0.99, 0.99], atol=6e-3)

    def oracle(step):
        found = orders(lambda x, t: df.follow(step, x, t))
        close(found, [2.13, 2.07, 2.03], atol=6e-3)

    def slip(point="new", time="new", half=0.5):
        def step(x, t, s):
            a = u(x, rows(t, x))
            y = x + (s - t) * a if point == "new" else x
            return x + (s - t) * half * (a + u(y, rows(s if time == "new" else t, x)))

        return step

    slips = {
        "old_time": slip(time="old"),
        "old_point": slip(point="old"),
        "no_half": slip(half=1.0),
        "euler": lambda x, t, s: df.euler_step(u, x, t, s),
        "time_turned": lambda x, t, s: df.heun_step(u, x, s, t),
    }
    has_power(oracle, lambda x, t, s: df.heun_step(u, x, t, s), slips)
    close(orders(lambda x, t: df.heun(u, x, t), 8)[3:], [2.02, 2.01], atol=6e-3)


def test_few_steps_of_flow_matching_shrink_the_spread_as_known():
    exact = one_normal(0.0, 0.5, df.linear())
    x = torch.ones(1, 1, dtype=DOUBLE)

    def oracle(velocity):
        found = [df.euler(velocity, x, df.even_times(n)).item() / 0.5 for n in (1, 2, 5, 10, 50)]
        close(found, [0, 0.4, 0.738, 0.862, 0.971], atol=6e-4)

    slips = {
        "sign": lambda x, t: -exact.velocity(x, t),
        "time_reversed": lambda x, t: exact.velocity(x, 1 - t),
        "time_in_thousands": lambda x, t: exact.velocity(x, t / 1000),
    }
    has_power(oracle, exact.velocity, slips)


def test_ddim_is_exact_on_a_point_and_on_nothing_else():
    point, path = torch.tensor([[0.7, -0.3]], dtype=DOUBLE), df.linear_beta()
    eps, sigma = normal(4, 2), path.sigma(torch.tensor(1.0, dtype=DOUBLE))
    start = path.perturb(point.expand(4, 2), eps, 1.0)
    times = torch.tensor([1.0, 0.6, 0.25, 0.1], dtype=DOUBLE)

    def oracle(step):
        def walk(x, t, s):
            return step(x, point.expand_as(x), path.levels(t), path.levels(s))

        close(df.follow(walk, start, times), path.perturb(point.expand(4, 2), eps, 0.1))

    right = df.ddim_step
    slips = {
        "alpha_squared": lambda x, h, a, b: right(x, h, (a[0] ** 2, a[1]), (b[0] ** 2, b[1])),
        "swapped_times": lambda x, h, a, b: right(x, h, b, a),
        "last_sigma": lambda x, h, a, b: right(x, h, a, (b[0], a[1])),
        "sigma_squared": lambda x, h, a, b: right(x, h, (a[0], a[1] ** 2), (b[0], b[1] ** 2)),
    }
    has_power(oracle, right, slips)
    assert sigma < 1
    exact = one_normal(path=path)
    ten = df.ddim(exact.denoise, torch.ones(1, 1).double(), path, df.even_times(10))
    truth = df.gaussian_flow_map(torch.ones(1, 1), 1.0, 0.5, path.levels(1.0), (1.0, 0.0))
    assert (ten - truth).abs().item() > 0.01, "one normal is not enough"


def test_heun_leaves_the_last_correction_away_only_at_zero():
    calls = []

    def velocity(x, t):
        calls.append(t[0].item())
        return torch.where(t[:, None] == 0, torch.nan, x)

    x = torch.ones(2, 1, dtype=DOUBLE)
    assert df.heun(velocity, x, df.even_times(2)).isfinite().all() and calls == [1.0, 0.5, 0.5]
    assert df.heun(velocity, x, df.even_times(2), correct_at_zero=True).isnan().all()
    kept = df.heun(velocity, x, df.even_times(3), keep=True)
    assert kept.shape == (4, 2, 1) and torch.equal(kept[0], x)
    with pytest.raises(InputError, match="times should have shape"):
        df.euler(velocity, x, torch.ones(1))


# --- ancestral sampling


def test_posterior_is_the_normal_of_bayes_rule():
    x, x_t, (a, s), (a2, s2) = 0.7, -0.4, (0.5, 0.9), (0.8, 0.3)
    grid = torch.linspace(-9, 9, 180_001, dtype=DOUBLE)
    ratio, c2 = a / a2, s**2 - (a / a2) ** 2 * s2**2
    log_p = -((grid - a2 * x) ** 2) / (2 * s2**2) - (x_t - ratio * grid) ** 2 / (2 * c2)
    p = log_p.softmax(0)
    mean, variance = (p * grid).sum(), (p * grid**2).sum() - (p * grid).sum() ** 2

    def oracle(posterior):
        found = posterior(
            torch.tensor([[x_t]]).double(), torch.tensor([[x]]).double(), (a, s), (a2, s2)
        )
        close(found[0].item(), mean, atol=1e-7)
        close(found[1], variance, atol=1e-7)

    right = df.ancestral_posterior
    slips = {
        "swapped_coefficients": lambda x_t, x, p, q: right(x, x_t, p, q),
        "levels_swapped": lambda x_t, x, p, q: right(x_t, x, q, p),
        "variance_is_beta": lambda x_t, x, p, q: (right(x_t, x, p, q)[0], torch.tensor(c2)),
        "deviation_for_variance": lambda x_t, x, p, q: (
            right(x_t, x, p, q)[0], right(x_t, x, p, q)[1].sqrt(),
        ),
    }  # fmt: skip
    has_power(oracle, right, slips)


def variance_after(exact, times, variance):
    """The variance of ancestral samples of a normal around 0, by the recursion of variances."""
    at, path = exact.path.levels(times[0])[1] ** 2, exact.path
    one, zero = torch.ones(1, 1, dtype=DOUBLE), torch.zeros(1, 1, dtype=DOUBLE)
    for t, s in itertools.pairwise(times):
        ends = path.levels(t), path.levels(s)
        gain = df.ddpm_step(one, exact.denoise(one, t), zero, *ends, variance).item()
        noise = df.ddpm_step(zero, zero, one, *ends, variance).item()
        at = gain**2 * at + noise**2
    return at.item()


def test_both_variances_of_ddpm_are_exact_somewhere():
    times, path = df.even_times(7), df.cosine(0.0)
    like_noise = one_normal(0.0, 1.0, path)
    assert variance_after(like_noise, times, "beta") < 1e-9 + 1  # no noise at the last step
    until = times[:-1]
    assert variance_after(like_noise, until, "beta") == pytest.approx(1)
    assert variance_after(like_noise, until, "posterior") < 0.97
    point = one_normal(0.0, 1e-9, path)
    wanted = path.levels(until[-1])[1].item() ** 2
    assert variance_after(point, until, "posterior") == pytest.approx(wanted)
    assert variance_after(point, until, "beta") > 1.5 * wanted
    with pytest.raises(InputError, match="variance should be one of posterior, beta"):
        df.ddpm_step(normal(1, 1), normal(1, 1), normal(1, 1), (0.5, 0.5), (1.0, 0.1), "tilde")


def test_many_ancestral_steps_reach_the_deviation_and_the_last_adds_no_noise():
    exact = one_normal(0.0, 0.5, df.cosine(0.0))
    for kind in ("posterior", "beta"):
        assert variance_after(exact, df.even_times(400), kind) == pytest.approx(0.25, rel=0.02)
    last = exact.path.levels(0.1), exact.path.levels(0.0)
    for kind in ("posterior", "beta"):
        x_hat = normal(2, 1)
        close(df.ddpm_step(normal(2, 1, seed=1), x_hat, normal(2, 1, seed=2), *last, kind), x_hat)
    # a last step that still adds √β of noise widens a narrow mode, as in a published notebook
    assert math.hypot(0.075, 0.123) == pytest.approx(0.144, abs=1e-3)


def test_samples_of_the_mixture_have_its_weights_by_every_sampler():
    mix, path, n = mixture(), df.cosine(0.0), 2000
    exact, noise = df.ExactDiffusion(mix, path), normal(n, 2, seed=5)
    times, generator = df.even_times(25), torch.Generator().manual_seed(1)
    samples = {
        "ddim": df.ddim(exact.denoise, noise, path, times),
        "heun": df.heun(exact.velocity, noise, times),
        "ancestral": df.ancestral(exact.denoise, noise, path, times, generator),
        "predictor-corrector": df.predictor_corrector(
            exact.velocity, exact.score, noise, path, times, generator
        ),
        "reverse SDE": df.euler_maruyama(
            *df.reverse_sde(path, exact.score), noise, df.even_times(50, 0.99, 0.002), generator
        ),
    }
    for name, x in samples.items():
        nearest = torch.cdist(x, mix.means).argmin(1)
        shares = torch.bincount(nearest, minlength=3) / n
        close(shares, mix.weights, atol=0.045, rtol=0), name
        close(x.mean(0), mix.weights @ mix.means, atol=0.15, rtol=0), name


# --- stochastic differential equations


def kurtosis(x):
    z = (x - x.mean()) / x.std()
    return (z**4).mean().item()


def simulate(diffusion_of, theta, sigma, T=5.0, n=50, particles=20_000):
    generator = torch.Generator().manual_seed(3)
    x = torch.zeros(particles, 1, dtype=DOUBLE)
    g = diffusion_of(sigma, x)
    return df.euler_maruyama(lambda x, t: -theta * x, g, x, df.even_times(n, 0.0, T), generator)


def test_brownian_motion_and_ornstein_uhlenbeck_have_their_variances():
    brown = simulate(lambda sigma, x: lambda t: torch.tensor(sigma), 0.0, 1.0)
    close(brown.var(), df.brownian_variance(5.0), rtol=0.04)
    close(df.brownian_variance(5.0, 2.0, 0.5), 20.5)
    ou = simulate(lambda sigma, x: lambda t: torch.tensor(sigma), 0.25, 0.5, T=20.0, n=200)
    close(ou.var(), df.ornstein_uhlenbeck_variance(20.0, 0.25, 0.5), rtol=0.05)
    close(df.ornstein_uhlenbeck_variance(1e3, 0.25, 0.5), 0.5)
    close(df.ornstein_uhlenbeck_variance(0.0, 0.25, 0.5, 7.0), 7.0)
    h = 1e-6  # dv/dt = -2θv + σ²
    slope = (
        df.ornstein_uhlenbeck_variance(0.3 + h, 0.7, 0.5, 2.0)
        - df.ornstein_uhlenbeck_variance(0.3 - h, 0.7, 0.5, 2.0)
    ) / (2 * h)
    close(slope, -1.4 * df.ornstein_uhlenbeck_variance(0.3, 0.7, 0.5, 2.0) + 0.25, atol=1e-6)


def test_noise_of_a_step_is_normal_and_not_a_product_of_two():
    """An anchor's diffusion returned σ times a fresh normal: the right variance, kurtosis 9."""
    generator = torch.Generator().manual_seed(7)

    def product(sigma, x):
        return lambda t: sigma * torch.randn(len(x), generator=generator, dtype=DOUBLE)

    right = simulate(lambda sigma, x: lambda t: torch.tensor(sigma), 0.0, 1.0, T=1.0, n=1)
    wrong = simulate(product, 0.0, 1.0, T=1.0, n=1)
    close(wrong.var(), 1.0, rtol=0.06)
    assert kurtosis(right) == pytest.approx(3, abs=0.15) and kurtosis(wrong) > 7
    # √h and not h: the variance does not depend on the number of steps
    for n in (1, 10):
        x = simulate(lambda sigma, x: lambda t: torch.tensor(sigma), 0.0, 1.0, T=2.0, n=n)
        close(x.var(), 2.0, rtol=0.05)


@pytest.mark.parametrize("name", ["cosine", "linear beta", "linear", "ve"])
def test_coefficients_of_the_sde_give_the_levels_back(name):
    path = PATHS["cosine, s = 0" if name == "cosine" else name]
    t = torch.linspace(0.1, 0.9, 9, dtype=DOUBLE)
    f, g = df.sde_coefficients(path, t)
    (alpha, sigma), (a, b) = path.levels(t), path.slopes(t)
    close(a, f * alpha)  # dα/dt = fα
    close(2 * sigma * b, 2 * f * sigma**2 + g**2)  # dσ²/dt = 2fσ² + g²
    if name == "linear":
        close(f, -1 / (1 - t))
        close(g**2, 2 * t / (1 - t))
    if name == "linear beta":
        close(g**2, 0.1 + 19.9 * t)
        close(f, -(0.1 + 19.9 * t) / 2)
    if name == "ve":
        close(g**2, 200 * t)


def variance_of_sde(drift, diffusion, at, times):
    """The variance of a linear SDE's Euler-Maruyama, by its recursion; all drifts by one call."""
    t, h = times[:-1], times.diff()
    gains = 1 + drift(torch.ones(len(t), 1, dtype=DOUBLE), t)[:, 0] * h
    added = diffusion(t).expand(len(t)) ** 2 * h.abs()
    for gain, more in zip(gains.tolist(), added.tolist(), strict=True):
        at = gain**2 * at + more
    return at


@pytest.mark.parametrize("churn", [0.0, 0.5, 1.0, 1.5])
def test_ode_and_sdes_share_their_marginals(churn):
    path = df.linear_beta()
    exact = one_normal(0.0, 0.5, path)
    times = df.even_times(1500, 1.0, 0.05)
    first, last = (exact.path.levels(t) for t in (times[0], times[-1]))
    start, truth = ((0.25 * a**2 + s**2).item() for a, s in (first, last))

    def oracle(make):
        drift, diffusion = make(path, exact.score, churn)
        assert variance_of_sde(drift, diffusion, start, times) == pytest.approx(truth, rel=0.015)

    def slip(score=1.0, noise=1.0, half=0.5):
        def make(path, score_of, churn):
            forward = df.forward_sde(path)[0]
            g = lambda t: df.sde_coefficients(path, t)[1]  # noqa: E731
            c = half * (1 + churn**2)
            return (
                lambda x, t: forward(x, t) - score * c * g(t)[:, None] ** 2 * score_of(x, t),
                lambda t: noise * churn * g(t),
            )

        return make

    slips = {"sign_of_the_score": slip(score=-1.0), "no_half": slip(half=1.0)}
    if churn:
        slips |= {"no_noise": slip(noise=0.0), "noise_twice": slip(noise=2.0)}
    has_power(oracle, df.reverse_sde, slips)


def test_forward_sde_has_the_marginals_of_the_path():
    path = df.linear_beta()
    times = df.even_times(400, 0.0, 0.5)
    times[0] = 1e-6
    found = variance_of_sde(*df.forward_sde(path), 0.25, times)
    alpha, sigma = path.levels(0.5)
    assert found == pytest.approx((0.25 * alpha**2 + sigma**2).item(), rel=0.01)


def test_ode_of_the_reverse_sde_is_the_velocity():
    path, x, t = df.cosine(0.0), normal(5, 2), torch.full((5,), 0.4, dtype=DOUBLE)
    exact = df.ExactDiffusion(mixture(), path)
    close(df.reverse_sde(path, exact.score, churn=0.0)[0](x, t), exact.velocity(x, t))


def test_langevin_tends_to_its_own_variance_not_to_the_datas():
    s2, n = 0.25, 20_000

    def oracle(langevin):
        for h in (0.02, 0.2):
            x = langevin(
                lambda y: -y / s2, 0.5 * normal(n, 1), h, 60, torch.Generator().manual_seed(1)
            )
            assert x.var().item() == pytest.approx(s2 / (1 - h / (2 * s2)), rel=0.035)

    def slip(noise):
        def walk(score, x, h, n, generator):
            for _ in range(n):
                eps = torch.randn(x.shape, generator=generator, dtype=x.dtype)
                x = x + h * score(x) + noise(h) * eps
            return x

        return walk

    slips = {
        "no_noise": slip(lambda h: 0.0),
        "root_of_h": slip(lambda h: h**0.5),
        "h_for_its_root": slip(lambda h: 2 * h),
    }
    has_power(oracle, df.langevin, slips)
    with pytest.raises(InputError, match="step should be above 0"):
        df.langevin(lambda y: -y, normal(2, 1), 0.0, 3)


def test_correction_leaves_the_marginal_and_brings_back_what_has_left_it():
    exact = one_normal(0.0, 0.5, df.linear())
    t, generator = torch.tensor(0.5, dtype=DOUBLE), torch.Generator().manual_seed(5)
    variance = 0.25 * 0.25 + 0.25
    for start, within in ((variance, 0.06), (2 * variance, 0.12)):
        x = math.sqrt(start) * normal(20_000, 1)
        for _ in range(20):
            x = df.langevin_correction(exact.score, x, t, 0.5, 0.1, generator)
        assert x.var().item() == pytest.approx(variance, rel=within)


def test_churn_raises_the_noise_to_the_level_that_it_says():
    x, level = df.churn_step(2.0 * normal(50_000, 1), 2.0, 0.25, torch.Generator().manual_seed(5))
    assert level == 2.5 and x.std().item() == pytest.approx(2.5, rel=0.02)


# --- reflow


@pytest.mark.parametrize("s", [0.5, 1.0, 2.0])
def test_straightness_of_a_normal_is_the_known_one_and_0_after_one_exact_reflow(s):
    exact, eps = one_normal(0.0, s, df.linear()), normal(2000, 1)
    eps = eps / eps.square().mean().sqrt()  # so that the mean is exact
    times = df.even_times(60)
    found = df.straightness(exact.velocity, eps, times).mean().item()
    assert found == pytest.approx(df.straightness_of_gaussian(s), rel=2e-3)
    assert df.straightness_of_gaussian(s) == pytest.approx(s * (2 - math.pi / 2))

    def oracle(pairs):
        x, noise = pairs(exact.velocity, eps, times)
        slope = (x / noise).mean()
        again = lambda y, t: (1 - slope) * y / ((1 - t[:, None]) * slope + t[:, None])  # noqa: E731
        x_t, u = df.flow_matching_pair(x, noise, torch.full((2000,), 0.4).double())
        close(again(x_t, torch.full((2000,), 0.4).double()), u, atol=1e-3, rtol=1e-2)
        assert df.straightness(again, eps, times).mean().item() < 1e-6

    slips = {
        "fresh_noise": lambda u, e, t: (df.reflow_pairs(u, e, t)[0], normal(2000, 1, seed=9)),
        "mixed_up": lambda u, e, t: (df.reflow_pairs(u, e, t)[0], df.mixed_up(e)),
        "the_same_pairs": lambda u, e, t: (s * normal(2000, 1, seed=8), e),
    }
    has_power(oracle, df.reflow_pairs, slips)


def test_sorting_is_the_cheapest_pairing_in_one_dimension():
    x, eps = normal(6, 1), normal(6, 1, seed=1)
    a, b = df.optimal_pairs_1d(x, eps)
    cost = (a - b).square().sum()
    for order in itertools.permutations(range(6)):
        assert cost <= (a - b[list(order)]).square().sum() + 1e-12


# --- guidance


GUIDED = {2: (1.324, 0.360), 4: (1.681, 0.291), 8: (2.130, 0.250)}
FROM_20 = {2: (1.289, 0.354), 4: (1.626, 0.279), 8: (2.038, 0.230)}
PRODUCT = {2: (1.036, 0.468), 4: (1.062, 0.450), 8: (1.087, 0.434)}


def test_guidance_samples_what_the_table_says_and_not_the_product():
    classes = df.TwoClasses()
    for w in GUIDED:
        assert classes.product_moments(w) == pytest.approx(PRODUCT[w], abs=1e-3)
        assert classes.guided_moments(w, 1000.0, 80, 501) == pytest.approx(GUIDED[w], abs=6e-3)
        assert GUIDED[w][0] - PRODUCT[w][0] > 0.25
    assert classes.guided_moments(4, 20.0, 80, 501) == pytest.approx(FROM_20[4], abs=6e-3)
    assert classes.product_moments(1) == pytest.approx((1.0, 0.5), abs=1e-6)


@pytest.mark.slow
def test_guidance_depends_on_where_it_starts():
    classes = df.TwoClasses()
    for start, table in ((1000.0, GUIDED), (20.0, FROM_20)):
        for w, known in table.items():
            assert classes.guided_moments(w, start) == pytest.approx(known, abs=1.5e-3)
    assert classes.guided_moments(1) == pytest.approx((1.0, 0.5), abs=2e-3)
    with pytest.raises(AssertionError):  # the other convention, not translated
        assert classes.guided_moments(1 + 2) == pytest.approx(GUIDED[2], abs=1.5e-3)


def test_guidance_at_0_1_and_3_by_hand():
    cond, uncond = torch.tensor([[2.0, 5.0]]), torch.tensor([[1.0, 7.0]])

    def oracle(guided):
        for w, wanted in ((0, [[1.0, 7.0]]), (1, [[2.0, 5.0]]), (3, [[4.0, 1.0]])):
            close(guided(cond, uncond, w), wanted)

    slips = {
        "one_plus_w": lambda c, u, w: (1 + w) * c - w * u,
        "sign": lambda c, u, w: c + w * (u - c),
        "scaled": lambda c, u, w: w * c,
    }
    has_power(oracle, df.guided, slips)
    for w in (0.0, 0.5, 4.0):  # the other convention, translated, is right
        close(df.guided(cond, uncond, df.from_one_plus_w(w)), slips["one_plus_w"](cond, uncond, w))


def test_classifier_guidance_at_1_is_bayes_rule_and_at_every_w_the_free_form():
    classes, path = df.TwoClasses(), df.linear()
    both, first, second = (classes.exact(path, label) for label in (None, 0, 1))
    x, t = normal(9, 1), torch.full((9,), 0.4, dtype=DOUBLE)

    def log_class(y):
        return torch.nn.functional.logsigmoid(first.log_prob(y, t) - second.log_prob(y, t))

    h = 1e-5
    gradient = (log_class(x + h) - log_class(x - h))[:, None] / (2 * h)
    score, cond = both.score(x, t), first.score(x, t)
    close(df.classifier_guidance(score, gradient, 1.0), cond, atol=1e-7)
    for w in (0.0, 2.5):
        free = df.guided(cond, score, w)
        close(df.classifier_guidance(score, gradient, w), free, atol=1e-7)
        u = df.guided_field(first.velocity, both.velocity, w)(x, t)
        close(u, df.convert(free, "score", "u", x, path, t), atol=1e-7)


# --- editing


def replacement_mean(inpaint, times, path, deterministic, n=2000):
    """The mean of x_2 given x_1 = 2 by replacement on the correlated normal; the truth is 1.8."""
    covariance = torch.tensor([[[1.0, 0.9], [0.9, 1.0]]], dtype=DOUBLE)
    mix = df.GaussianMixture(torch.ones(1).double(), torch.zeros(1, 2).double(), covariance)
    exact = df.ExactDiffusion(mix, path)
    noise = normal(n, 2, seed=2)
    noise = torch.cat([noise, -noise])
    known = torch.tensor([2.0, -7.0], dtype=DOUBLE).expand_as(noise)
    mask = torch.tensor([1.0, 0.0], dtype=DOUBLE).expand_as(noise)
    generator = torch.Generator().manual_seed(3)
    start = path.levels(times[0])[1] * noise
    x = inpaint(exact.denoise, start, known, mask, path, times, generator, deterministic)
    return x[:, 0], x[:, 1]


def test_replacement_tends_to_limits_that_are_not_the_truth():
    path, times = df.linear_beta(), df.even_times(250)
    for deterministic, known in ((False, 1.25), (True, 0.89)):
        mean, std = df.replacement_limit(0.9, 2.0, deterministic)
        assert mean == pytest.approx(known, abs=0.005)
        first, second = replacement_mean(df.inpaint, times, path, deterministic)
        close(first, torch.full_like(first, 2.0), atol=1e-9)
        assert second.mean().item() == pytest.approx(mean, abs=0.04)
        assert second.std().item() == pytest.approx(std, abs=0.06)
    assert std == pytest.approx(0.19**0.25, abs=1e-3), "det C to the power of 1/4"
    for deterministic in (False, True):  # nothing to tell: then it is right
        mean, std = df.replacement_limit(0.0, 2.0, deterministic)
        assert abs(mean) < 1e-9 and std == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linear beta", "ve"])
def test_limits_of_replacement_at_a_thousand_steps(name):
    path = df.linear_beta() if name == "linear beta" else df.ve(80.0)
    times = df.even_times(1000) if name == "linear beta" else df.rho_levels(1000, last="zero") / 80
    for deterministic, limit in ((False, 1.25), (True, 0.89)):
        _, second = replacement_mean(df.inpaint, times, path, deterministic, n=4000)
        assert second.mean().item() == pytest.approx(limit, abs=0.02)


def test_what_is_known_gets_the_noise_of_the_new_level():
    x, known, eps = normal(4, 3), normal(4, 3, seed=1), normal(4, 3, seed=2)
    mask = torch.tensor([1.0, 0.0, 1.0])

    def oracle(replace):
        found = replace(x, known, mask, eps, 0.8, 0.3)
        close(found[:, 1], x[:, 1])
        close(found[:, [0, 2]], (0.8 * known + 0.3 * eps)[:, [0, 2]])

    right = df.replace_known
    slips = {
        "mask_inverted": lambda x, k, m, e, a, s: right(x, k, 1 - m, e, a, s),
        "no_noise": lambda x, k, m, e, a, s: right(x, k, m, e, a, 0.0),
        "level_before": lambda x, k, m, e, a, s: right(x, k, m, e, 0.6, 0.6),
        "known_not_scaled": lambda x, k, m, e, a, s: right(x, k, m, e, 1.0, s),
    }
    has_power(oracle, lambda *given: right(*given[:2], given[2].expand_as(x), *given[3:]), slips)


def test_an_inpainting_step_is_an_ancestral_one_with_what_is_known_put_in():
    x, x_hat, known = normal(4, 3), normal(4, 3, seed=1), normal(4, 3, seed=2)
    noises, mask = (normal(4, 3, seed=3), normal(4, 3, seed=4)), torch.tensor([1.0, 0.0, 0.0])
    start, end = (0.5, 0.8), (0.9, 0.3)
    found = df.inpaint_step(x, x_hat, known, mask, noises, start, end)
    close(found[:, 1:], df.ddpm_step(x, x_hat, noises[0], start, end)[:, 1:])
    close(found[:, 0], (0.9 * known + 0.3 * noises[1])[:, 0])


def test_image_to_image_keeps_more_the_less_noise_there_is():
    mix, path = mixture(), df.linear()
    exact, x = df.ExactDiffusion(mix, path), mixture().sample(1500, seed=1)

    def moved(start):
        generator = torch.Generator().manual_seed(5)
        y = df.image_to_image(exact.denoise, x, path, df.even_times(30, start, 0.0), generator)
        return (y - x).norm(dim=1).mean().item()

    a_little, more, all_of_it = moved(0.1), moved(0.5), moved(1.0)
    assert a_little < 0.2 < more < all_of_it


def test_slerp_keeps_the_variance_that_lerp_halves():
    a, b = normal(200, 400), normal(200, 400, seed=1)
    assert df.slerp(a, b, 0.5).var().item() == pytest.approx(1, abs=0.02)
    assert (0.5 * (a + b)).var().item() == pytest.approx(0.5, abs=0.02)
    close(df.slerp(a, b, 0.0), a)
    close(df.slerp(a, b, 1.0), b)
    with pytest.raises(InputError, match="share should lie in"):
        df.slerp(a, b, 1.5)
