"""Chapter 4's exercises on networks and few steps: their references against something independent,
each with a mistake that fails there, and the probes that watch them.
"""

import math

import pytest
import torch

from gencourse.checks import diffusion as check
from gencourse.models import diffusion as m
from gencourse.probes.diffusion import sampling, training
from gencourse.runtime import seeded


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def answers(name, mistake):
    """The reference of an exercise, and one of its mistakes."""
    exercise = getattr(check, name)
    return exercise.reference, next(x.answer for x in exercise.mistakes if x.name == mistake)


def test_embeddings_of_times_depend_on_their_difference_alone_and_in_any_order():
    """cos a cos b + sin a sin b = cos(a - b), for the right frequencies."""
    t, h, scale = torch.tensor([0.1, 0.35, 0.8], dtype=torch.float64), 4, 50.0
    omega = torch.tensor([scale * 10 ** (-4 * i / h) for i in range(h)], dtype=torch.float64)
    right, wrong = answers("time_embedding", "divided_by_one_less")
    wanted = torch.cos((t[:, None] - t)[..., None] * omega).sum(2)
    for embed in (right, *check.time_embedding.right_forms):
        rows = embed(t, 2 * h, scale)
        torch.testing.assert_close(rows @ rows.T, wanted)
        seen = training.columns(embed, t, 2 * h, scale)["the columns, in whatever order"]
        torch.testing.assert_close(seen, training.columns(right, t, 2 * h, scale).popitem()[1])
    rows = wrong(t, 2 * h, scale)
    assert not torch.allclose(rows @ rows.T, wanted, atol=1e-3)


def test_a_training_step_lowers_its_loss_and_the_average_lies_between():
    x, eps = randn(6, 2).float(), randn(6, 2, seed=1).float()
    t = torch.linspace(0.1, 0.9, 6)
    right, wrong = answers("training_step", "uphill")
    for step, falls in ((right, True), (wrong, False)):
        model, average = training.pair_of(x)
        before = [p.clone() for p in average.parameters()]
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        loss = m.flow_matching_loss(model, x, eps, t).mean().item()
        said = step(model, average, optimizer, x, eps, t, 0.9)
        after = m.flow_matching_loss(model, x, eps, t).mean().item()
        assert (after < loss) == falls and said == pytest.approx(loss)
        for old, kept, new in zip(before, average.parameters(), model.parameters(), strict=True):
            torch.testing.assert_close(kept, 0.9 * old + 0.1 * new)


def test_labels_are_hidden_as_often_as_asked_whatever_they_are():
    y, u = torch.arange(20_000) % 5, torch.rand(20_000, generator=seeded(0))
    right, wrong = answers("hide_labels", "kept_for_hidden")
    for label in range(5):
        hidden = (right(y, u, 0.2, 5)[y == label] == 5).double().mean().item()
        assert hidden == pytest.approx(0.2, abs=0.03)
    assert (wrong(y, u, 0.2, 5) == 5).double().mean().item() > 0.7


def test_one_guided_call_is_the_exact_field_of_two_classes():
    classes, path = m.TwoClasses(), m.ve(2.0)
    fields = [classes.exact(path, 0), classes.exact(path, 1), classes.exact(path)]

    def network(x, t, y):
        said = torch.stack([field.score(x, t) for field in fields])
        return said[y, torch.arange(len(x))]

    x, t, y = randn(5, 1), torch.linspace(0.2, 0.9, 5).double(), torch.tensor([0, 1, 1, 0, 1])
    right, wrong = answers("guided_batch", "halves_exchanged")
    cond = torch.stack([fields[k].score(x, t)[i] for i, k in enumerate(y.tolist())])
    wanted = m.guided(cond, fields[2].score(x, t), 2.5)
    torch.testing.assert_close(right(network, x, t, y, 2.5, 2), wanted)
    assert not torch.allclose(wrong(network, x, t, y, 2.5, 2), wanted, atol=1e-2)


def test_a_clipped_sampler_finds_a_single_point_and_steps_by_a_pair_that_fits():
    """With the exact noise of one point DDIM is exact, however small α is; and from where a step
    begins and ends follows the pair that it went by.
    """
    alpha, sigma = [1.0, 0.8, 0.28, 1e-4], [0.0, 0.6, 0.96, 1.0]
    point, x = torch.tensor([[0.3, -0.9]]).double(), randn(40, 2)

    def exact(x, n):
        a, s = (torch.tensor(levels).double()[n][:, None] for levels in (alpha, sigma))
        return (x - a * point) / s

    right, wrong = answers("clipped_sampler", "noise_of_the_network")
    assert torch.allclose(right(exact, x, alpha, sigma), point.expand(40, 2))
    for sampler, fits in ((right, True), (wrong, False)):
        end = sampler(lambda x, n: x.sin(), x, [0.8, 0.5], [0.6, 0.9])
        x_hat = (0.9 * end - 0.6 * x) / (0.9 * 0.8 - 0.6 * 0.5)
        assert bool((x_hat.abs() <= 1 + 1e-9).all()) == fits


def test_standardised_codes_have_mean_zero_and_the_way_back_gives_them_back():
    codes = randn(500, 3) * torch.tensor([0.01, 1.0, 40.0]) + torch.tensor([5.0, 0.0, -90.0])
    right, wrong = answers("code_space", "undone_in_the_same_order")
    for space, goes in ((right, True), (wrong, False)):
        into, back = space(codes)
        flat = into(codes)
        torch.testing.assert_close(flat.mean(0), torch.zeros(3).double())
        torch.testing.assert_close(flat.T.cov(correction=0).diag().sqrt(), torch.ones(3).double(),
                                   rtol=2e-3, atol=0)  # fmt: skip
        assert torch.allclose(back(flat), codes) == goes


def test_shifted_times_keep_the_averages_of_a_large_picture_as_noisy_as_a_small_one():
    t, side, base = 0.3, 32, 8
    right, wrong = answers("shifted_times", "pixels_for_sides")
    for shift, same in ((right, True), (wrong, False)):
        later = shift(torch.tensor([t]).double(), side, base).item()
        noise = later * randn(200, 1, side, side)
        small = torch.nn.functional.avg_pool2d(noise, side // base) / (1 - later)
        assert (small.std().item() == pytest.approx(t / (1 - t), rel=0.03)) == same


def test_pairs_of_a_normal_flow_lie_on_its_map():
    """For N(0, s²) the flow takes ε to s ε, and Euler's steps tend to that."""
    exact = m.ExactDiffusion(m.isotropic_mixture(torch.zeros(1, 1).double(), 0.5), m.linear())
    eps = randn(50, 1)
    right, wrong = answers("reflow_pairs", "noise_at_zero")
    x, kept = right(exact.velocity, eps, 400)
    assert kept is eps and torch.allclose(x, 0.5 * eps, atol=0.01)
    assert not torch.allclose(wrong(exact.velocity, eps, 400)[0], 0.5 * eps, atol=0.1)


def test_the_mean_velocity_of_a_known_flow_is_its_own_target():
    """The flow of N(0, s²) is x_t = x_1 √((1 - t)² s² + t²): its mean velocity between two times is
    known, and has to fulfil the identity with its own velocity.
    """
    std = 0.5

    def size(t):
        return ((1 - t) ** 2 * std**2 + t**2).sqrt()

    def mean(x, r, t):
        r, t = r[:, None], t[:, None]
        return x * (1 - size(r) / size(t)) / (t - r)

    x, t = randn(6, 2), torch.linspace(0.5, 1, 6).double()
    r = torch.linspace(0.0, 0.4, 6).double()
    v = torch.func.jvp(lambda t: x / size(t[:, None]).detach() * size(t[:, None]), (t,),
                       (torch.ones_like(t),))[1]  # fmt: skip
    right, wrong = answers("mean_flow_target", "r_for_t")
    for target in (right, *check.mean_flow_target.right_forms):
        torch.testing.assert_close(target(mean, x, v, r, t), mean(x, r, t))
    assert not torch.allclose(wrong(mean, x, v, r, t), mean(x, r, t), atol=1e-2)


# --- what the probes see


def test_a_labelled_network_answers_each_row_from_itself_and_counts():
    network = sampling.Labelled(4)
    x, t, y = randn(5, 3), torch.linspace(0, 1, 5), torch.tensor([0, 1, 2, 3, 4])
    whole = network(x, t, y)
    alone = [network(x[i : i + 1], t[i : i + 1], y[i : i + 1]) for i in range(5)]
    torch.testing.assert_close(torch.cat(alone), whole)
    assert network.calls == 6
    for other in (y.roll(1), y.flip(0)):
        changed = (network(x, t, other) - whole).abs().amax(1) > 1e-3
        assert torch.equal(changed, other != y)
    for bad, error in ((y - 1, IndexError), (y + 1, IndexError), (y[:3], ValueError)):
        with pytest.raises(error):
            network(x, t, bad)


def test_a_mean_velocity_tells_its_arguments_apart():
    field, x = sampling.MeanVelocity(), randn(4, 3)
    r, t = torch.tensor([0.1, 0.2, 0.3, 0.4]).double(), torch.tensor([0.9, 0.8, 0.7, 0.6]).double()
    said = field(x, r, t)
    for other in (field(x, t, r), field(x, r + 0.1, t), field(x, r, t + 0.1), field(x + 0.1, r, t)):
        assert (other - said).abs().amax(1).min() > 1e-3


def test_what_a_step_leaves_behind_is_noticed():
    x, eps, t = randn(4, 2).float(), randn(4, 2, seed=1).float(), torch.linspace(0.2, 0.8, 4)

    def shares(model, average, optimizer, x, eps, t, decay):
        for module, new in zip(average.children(), model.children(), strict=True):
            module.weight = new.weight
        return torch.zeros(())

    found = training.left_behind(shares, x, eps, t, 0.5)
    assert list(found.values()) == [False, False, True, False, True]
    right = training.left_behind(check.training_step.reference, x, eps, t, 0.5)
    assert list(right.values()) == [True, False, False, True, False]


def test_results_of_another_kind_are_refused():
    x, noise = randn(3, 2), randn(3, 2, seed=1)
    with pytest.raises(TypeError, match="not as a dict"):
        sampling.paired(lambda velocity, eps, n: {"x": eps, "eps": eps}, x, 2)
    for given in (lambda z: (z.mean(0), z.std(0)), lambda z: {"into": abs, "back": abs}):
        with pytest.raises(TypeError, match="two functions"):
            sampling.into_and_back(given, x, x, noise)
    assert training.columns(lambda t, width, scale: t, x[0], 4, 1.0) == {"the shape": [2]}
    assert math.isclose(sampling.wide(torch.ones(3), x).sum().item(), 3.0)
