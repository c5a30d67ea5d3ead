"""Probes of chapter 4: that they see what they are there to see, and that the bug hunt's pictures
are as its text describes them.
"""

import ast
from pathlib import Path

import pytest
import torch

from gencourse.checks import diffusion as check
from gencourse.checks.diffusion.symptoms import TRUTH
from gencourse.probes.diffusion import coupling, fields, hunt
from gencourse.runtime import seeded

ROOT = Path(__file__).parents[1]


def noise(n, generator):
    return torch.randn(n, 2, generator=generator)


STARTS = {
    "whether the numbers have mean 0": lambda n, g: noise(n, g) + 0.06,
    "whether the numbers have standard deviation 1": lambda n, g: 1.05 * noise(n, g),
    "whether as many lie beyond 2 as of a normal": lambda n, g: noise(n, g).clamp(-1.95, 1.95),
    "whether the two numbers of a point are independent": lambda n, g: (
        noise(n, g) @ torch.tensor([[1.0, 0.1], [0.0, 1.0]])
    ),
    "whether points are independent of each other": lambda n, g: torch.cat(
        [half := noise(n // 2, g), -half]
    ),
    "whether chance decides the mean of twenty points": lambda n, g: (x := noise(n, g)) - x.mean(0),
    "whether all points differ": lambda n, g: noise(n // 2, g).repeat(2, 1),
    "whether one seed gives the same points": lambda n, g: torch.randn(n, 2),
    "whether a second call with one generator gives others": lambda n, g: noise(
        n, seeded(g.initial_seed())
    ),
}


@pytest.mark.parametrize("said", STARTS)
def test_noise_that_is_a_little_wrong_is_seen(said):
    with torch.random.fork_rng():
        for seed in range(5):
            assert hunt.from_noise(noise, seed)[said]
            assert not hunt.from_noise(STARTS[said], seed)[said]


def test_a_toy_field_mixes_numbers_but_no_rows_and_knows_the_time():
    x = torch.randn(4, 3, generator=seeded(0))
    J = torch.autograd.functional.jacobian(fields.ToyField(), x)
    for i in range(4):
        for j in range(4):
            assert bool(J[i, :, j].any()) == (i == j)
    own = J[0, :, 0]
    assert (own.sum() - own.trace()).abs() > 0.1 and not torch.allclose(own, own.T)
    alone = torch.autograd.functional.jacobian(fields.ToyField(mixes=False), x)[0, :, 0]
    torch.testing.assert_close(alone, alone.diag().diag())
    times = torch.tensor([0.1, 0.9, 0.1, 0.1])
    by_row, one = fields.ToyField()(x, times), fields.ToyField()(x, 0.1)
    assert [torch.allclose(*pair) for pair in zip(by_row, one, strict=True)] == [1, 0, 1, 1]


def test_a_toy_field_counts_and_learns():
    field = fields.ToyField()
    x = torch.randn(4, 3, generator=seeded(1))
    assert fields.learned_by(field, field(x)) != 0 and len(field.asked) == 1
    assert fields.learned_by(field, field(x).detach()) == 0
    assert fields.learned_by(field, x) == 0


def test_levels_of_the_trials_are_on_no_path_with_a_name():
    alpha, sigma = fields.levels(torch.linspace(0.15, 0.9, 5))
    assert bool(((alpha**2 + sigma**2 - 1).abs() > 0.01).all())
    assert bool(((alpha + sigma - 1).abs() > 0.01).all())


def test_a_velocity_at_zero_is_infinite():
    x = torch.randn(3, 2, generator=seeded(2))
    euler = fields.towards_zero(lambda u, x, t, s: x + (s - t) * u(x, t), x, 0.4)
    assert bool(euler.isfinite().all())
    asked = fields.towards_zero(lambda u, x, t, s: x + (s - t) * u(x, s), x, 0.4)
    assert not bool(asked.isfinite().any())


def test_halves_cannot_stand_for_each_other():
    x = torch.randn(5, 6, generator=seeded(3))
    network = coupling.toy_network(3)
    for one, other in zip(network(x[:, :3]), network(x[:, 3:]), strict=True):
        assert bool(((one - other).abs().amax(1) > 1e-2).all())
    even = coupling.toy_network(3, "even")(x[:, :3])[0]
    torch.testing.assert_close(even.sum(1), torch.zeros(5), atol=1e-6, rtol=0)
    assert even.exp().sum(1).std() > 0.01  # of which a sum of scales is none


def test_results_that_are_no_pair_are_refused():
    x = torch.randn(3, 4, generator=seeded(4))
    with pytest.raises(TypeError, match="not as a dict"):
        coupling.through(lambda x, network: {"z": x, "log_det": x.sum(1)}, x)
    with pytest.raises(TypeError, match="not as a dict"):
        hunt.levels_by_name(lambda T: {"alpha": x, "sigma": x}, 5)
    assert hunt.letters(lambda: "ABC") == "str" and hunt.letters(lambda: {"A": 1}) == "dict"


# the hunt's program, as it stands in the notebook


def program():
    """The names that the cells between the program and the instruments define."""
    source = (ROOT / "authoring/exercises/04_diffusion.py").read_text("utf-8")
    wanted = {*TRUTH.values(), "noise_of", "restored", "draw", "CENTRES", "WIDTHS", "LABELS"}
    names: dict[str, object] = {}
    exec_in = [
        node
        for node in ast.parse(source).body
        if (isinstance(node, ast.FunctionDef) and node.name in wanted)
        or (isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in wanted)
        or isinstance(node, ast.Import | ast.ImportFrom)
    ]
    exec(compile(ast.Module(exec_in, []), "04_diffusion", "exec"), names)
    return names


ORDER = ("centred", "levels", "start", "noise_of", "steered", "step_back", "steps")


def drawn(broken=""):
    """The mean of each class, and the deviation, of what the program draws with a piece broken."""
    names = program()
    repairs = [getattr(check, f"repair_{i}").reference for i in range(1, 8)]
    pieces = [
        names[name] if name == broken else repair
        for name, repair in zip(ORDER, repairs, strict=True)
    ]
    x, label = names["draw"](*pieces), names["LABELS"]
    means = torch.stack([x[label == k].mean(0) for k in range(5)])
    return means, torch.stack([x[label == k].std(0).mean() for k in range(5)]), names


def test_the_pictures_of_the_hunt_are_as_described():
    means, stds, names = drawn()
    centres, widths = names["CENTRES"], names["WIDTHS"]
    assert bool(((means - centres).abs().amax(1) < 0.03).all())
    assert bool(((stds / widths - 1).abs() < 0.35).all())
    A, A_stds, _ = drawn("centred")
    assert bool((A > 0.5).all()) and bool(((A_stds / stds - 0.5).abs() < 0.15).all())
    torch.testing.assert_close(A, 0.5 + 0.5 * means, atol=0.02, rtol=0)
    B, B_stds, _ = drawn("levels")
    assert bool(((B - centres).abs() < 0.07).all()) and bool((B_stds > 1.5 * stds).all())
    C, C_stds, _ = drawn("start")
    assert bool(((C - centres).abs() < 0.08).all())
    assert bool(((C_stds / stds - 0.3).abs() < 0.06).all())
    D, D_stds, _ = drawn("steered")
    assert bool((D_stds < 0.8 * stds).all()) and (D_stds / stds).argmin() == 2
    out = [0, 1, 3, 4]
    away = (D[out] - centres[2]).norm(dim=1) - (means[out] - centres[2]).norm(dim=1)
    assert bool((away > 0).all())
    assert bool((drawn("step_back")[1] > 5 * stds).all())
    F, F_stds, _ = drawn("steps")
    assert bool(((F - means).abs() < 0.01).all())
    assert F_stds[0] > 1.4 * stds[0] and F_stds[2] < 1.1 * stds[2]
