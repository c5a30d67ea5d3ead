"""The GAN lab's matches: who moves, what is seen, and recorded runs that show what they are said to
show.
"""

import math

import matplotlib

matplotlib.use("Agg")
import numpy as np
import pytest
import torch

from gencourse.data import points
from gencourse.errors import DataUnavailable, InputError, InputTypeError, TrainingStopped
from gencourse.gan_lab.diagnosis import EXPECTED, RULES, diagnoses, symptoms
from gencourse.gan_lab.match import Match
from gencourse.gan_lab.observe import (
    ARROWS,
    CELLS,
    SHOWN,
    belief,
    best_surface,
    cell_centres,
    divergence,
    push,
)
from gencourse.gan_lab.recording import (
    FILES,
    SHIPPED,
    UNNAMED,
    Recording,
    file_of,
    load,
    record,
    recorded,
    save,
)
from gencourse.gan_lab.settings import NOISES, PENALTIES, Settings
from gencourse.models.gan import LOSSES
from gencourse.runtime import seeded

SMALL = {"hidden": 8, "batch_size": 16}


def weights(network):
    return torch.cat([p.detach().flatten().clone() for p in network.parameters()])


def moved(match, act):
    """Which of D and G an act changes."""
    d, g = weights(match.gan.discriminator), weights(match.gan.generator)
    act()
    names = (("D", d, match.gan.discriminator), ("G", g, match.gan.generator))
    return "".join(
        name for name, before, network in names if not torch.equal(before, weights(network))
    )


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            {"data": "moon"},
            r"Settings: data should be one of ring, grid, two, spiral, drawn, got 'moon'",
        ),
        ({"loss": "log"}, r"Settings: loss should be one of non-saturating, .*, got 'log'"),
        ({"lr": 0}, r"Settings: lr should be above 0 and finite, got 0"),
        (
            {"penalty_weight": -1.0},
            r"Settings: penalty_weight should be at least 0 and finite, got -1.0",
        ),
        ({"d_steps": 0}, r"Settings: d_steps should be at least 1, got 0"),
        ({"batch_size": 10**6}, r"Settings: batch_size should be at most 4096"),
    ],
)
def test_settings_are_refused_in_a_sentence(wrong, sentence):
    with pytest.raises(InputError, match=sentence):
        Settings(**wrong)


def test_settings_of_the_wrong_kind_are_refused():
    with pytest.raises(InputTypeError, match="Settings: lr should be a number, got str 'fast'"):
        Settings(lr="fast")


@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_move_changes_one_player(penalty):
    match = Match(Settings(penalty=penalty, **SMALL))
    assert moved(match, match.step_discriminator) == "D"
    assert moved(match, match.step_generator) == "G"
    assert moved(match, match.step) == "DG"
    assert moved(match, match.observe) == ""
    assert match.steps == 3


def test_a_round_has_the_moves_that_the_settings_say(monkeypatch):
    match, order = Match(Settings(d_steps=3, g_steps=2, **SMALL)), []
    monkeypatch.setattr(match, "move_discriminator", lambda: order.append("D"))
    monkeypatch.setattr(match, "move_generator", lambda: order.append("G"))
    match.step()
    assert "".join(order) == "DDDGG"


@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_match_repeats_itself_and_leaves_the_global_seed_alone(penalty):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second = (record(Settings(penalty=penalty, **SMALL), steps=3, every=3) for _ in range(2))
    assert torch.equal(torch.rand(3), expected)
    for a, b in zip(first.frames, second.frames, strict=True):
        assert (
            a.scores == b.scores
            and torch.equal(a.fake, b.fake)
            and torch.equal(a.surface, b.surface)
        )
    other = record(Settings(penalty=penalty, seed=1, **SMALL), steps=3, every=3)
    assert not torch.equal(first.frames[0].fake, other.frames[0].fake)


@pytest.mark.parametrize("penalty", ["R1", "gradient penalty"])
def test_the_penalty_and_its_weight_reach_the_discriminator(penalty):
    ends = []
    for name, weight in (("none", 1.0), (penalty, 1.0), (penalty, 10.0)):
        match = Match(Settings(penalty=name, penalty_weight=weight, optimizer="SGD", **SMALL))
        match.step_discriminator()
        ends.append(weights(match.gan.discriminator))
    once, ten_times = ends[1] - ends[0], ends[2] - ends[0]
    assert once.norm() > 0
    assert torch.allclose(ten_times, 10 * once, atol=1e-6), (
        "a step of gradient descent is linear in the weight"
    )


def test_a_new_rule_counts_from_the_next_move():
    match = Match(Settings(**SMALL))
    match.step()
    match.adopt(Settings(loss="Wasserstein", penalty="none", lr=0.5, d_lr_ratio=3.0, **SMALL))
    assert (
        match.g_optimizer.param_groups[0]["lr"] == 0.5
        and match.d_optimizer.param_groups[0]["lr"] == 1.5
    )
    with torch.no_grad():
        logits = match.gan.discriminator(match.gan.generator(match.observer.z))
    assert match.observe().scores.g_loss == pytest.approx(-logits.mean().item(), abs=1e-5)


def test_a_new_optimizer_counts_from_the_next_move():
    match = Match(Settings(**SMALL))
    match.step()
    match.adopt(Settings(optimizer="SGD", **SMALL))
    before, state = weights(match.gan.generator), match.random.get_state()
    z = match.codes()
    loss = match.gan.generator_loss(z, z=z)["loss"].mean()
    slope = torch.cat(
        [g.flatten() for g in torch.autograd.grad(loss, list(match.gan.generator.parameters()))]
    )
    match.random.set_state(state)  # the move is to draw the same codes
    match.step_generator()
    assert torch.allclose(weights(match.gan.generator) - before, -2e-3 * slope, atol=1e-7), (
        "plain descent, no memory"
    )


def test_new_data_need_a_new_match():
    with pytest.raises(InputError, match=r"Match.adopt: settings should keep data, noise"):
        Match(Settings(**SMALL)).adopt(Settings(data="two", **SMALL))


def test_a_loss_that_is_not_finite_stops_before_the_parameters():
    match = Match(Settings(**SMALL))
    with torch.no_grad():
        match.gan.generator[-1].bias.fill_(math.nan)
    before = weights(match.gan.discriminator)
    for act in (match.step, match.observe):
        with pytest.raises(
            TrainingStopped,
            match=r"losses should be finite, got nan after 0 rounds. .* press Reset",
        ):
            act()
    assert torch.equal(weights(match.gan.discriminator), before)


@pytest.mark.parametrize("loss", LOSSES)
def test_arrows_are_minus_the_slope_of_the_generators_loss(loss):
    match = Match(Settings(loss=loss, **SMALL))
    match.gan.double()
    x, h = torch.randn(7, 2, generator=seeded(0), dtype=torch.float64), 1e-6
    arrows = push(match.gan, x)
    for k in range(2):
        up, down = x.clone(), x.clone()
        up[:, k] += h
        down[:, k] -= h
        with torch.no_grad():
            ahead, behind = (
                match.gan.losses.generator(match.gan.discriminator(points)) for points in (up, down)
            )
        assert torch.allclose(arrows[:, k], -(ahead - behind) / (2 * h), atol=1e-6)
    assert arrows.norm(dim=1).min() > 0


@pytest.mark.parametrize("noise", NOISES)
def test_a_frame_shows_both_networks_on_the_grids(noise):
    match = Match(Settings(noise=noise, **SMALL))
    frame = match.observe()
    assert frame.real.shape == frame.fake.shape == (SHOWN, 2) and frame.arrows.shape == (ARROWS, 2)
    assert frame.surface.shape == (CELLS, CELLS)
    ticks = cell_centres()
    with torch.no_grad():
        corner = match.gan.discriminator(torch.tensor([[ticks[3], ticks[5]]])).sigmoid()
        edge = match.gan.generator(match.observer.codes[0, :4])
    assert frame.surface[5, 3] == pytest.approx(corner.item(), abs=1e-6), "rows are x₂, columns x₁"
    assert torch.allclose(frame.sheet[0, :4], edge, atol=1e-6)


@pytest.mark.parametrize(
    ("loss", "level"),
    [("non-saturating", 0.0), ("hinge", 0.0), ("least squares", 0.5), ("Wasserstein", 7.0)],
)
def test_a_discriminator_that_cannot_tell_believes_one_half(loss, level):
    match = Match(Settings(loss=loss, **SMALL))
    last = match.gan.discriminator[4]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(level)
    frame = match.observe()
    assert torch.allclose(frame.surface, torch.full((CELLS, CELLS), 0.5), atol=1e-5)
    assert frame.scores.real_belief == pytest.approx(0.5, abs=1e-5)
    assert frame.arrows.norm() == 0


def test_belief_in_least_squares_is_the_output_itself():
    assert belief(torch.tensor([-1.0, 0.25, 3.0]), "least squares").tolist() == [0, 0.25, 1]


@pytest.mark.parametrize("name", ["ring", "two", "grid", "spiral"])
def test_equal_densities_leave_nothing_to_tell(name):
    density = points(name)
    x = density.sample(2000, seed=1)
    assert divergence(density, x) < 0.02
    best = best_surface(density, x)
    nearest = best[
        (x[:50, 1, None] - cell_centres()).abs().argmin(1),
        (x[:50, 0, None] - cell_centres()).abs().argmin(1),
    ]
    assert (nearest - 0.5).abs().mean() < 0.1, "2,000 samples estimate the density with some noise"


def test_far_samples_are_told_apart_for_sure():
    density = points("ring")
    for centre in (torch.zeros(2), torch.tensor([50.0, 0.0])):
        x = centre + 0.05 * torch.randn(2000, 2, generator=seeded(0))
        assert divergence(density, x) == pytest.approx(math.log(2), abs=0.005)
    assert best_surface(density, torch.zeros(50, 2))[CELLS // 2, CELLS // 2] < 0.01


def test_a_recording_survives_its_file(tmp_path):
    run = record(
        Settings(noise="normal 1-D", d_steps=2, **SMALL), steps=4, every=2, title="a title"
    )
    run = Recording(run.settings, run.frames, run.title, symptoms(run))
    save(run, tmp_path / "run.npz")
    back = load(tmp_path / "run.npz")
    assert (back.settings, back.title, back.symptoms, len(back.frames)) == (
        run.settings,
        "a title",
        run.symptoms,
        3,
    )
    for a, b in zip(run.frames, back.frames, strict=True):
        assert b.scores == pytest.approx(a.scores, rel=1e-6)
        for name, atol in (
            ("real", 2e-3),
            ("fake", 2e-3),
            ("arrows", 2e-3),
            ("sheet", 2e-3),
            ("surface", 0.5 / 255 + 1e-6),
        ):
            assert torch.allclose(getattr(a, name), getattr(b, name), atol=atol), name


@pytest.mark.parametrize(
    "damage", ["cut", "text", "other arrays", "pickle", "frames missing", "setting unknown"]
)
def test_a_damaged_file_is_refused_in_a_sentence(tmp_path, damage):
    path, whole = tmp_path / "run.npz", (FILES / "two.npz").read_bytes()
    with np.load(FILES / "two.npz") as file:
        arrays = {name: file[name] for name in file.files}
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "text":
        path.write_text("not an archive", "utf-8")
    elif damage == "other arrays":
        np.savez(path, x=np.zeros(3))
    elif damage == "pickle":
        np.savez(path, **arrays | {"about": np.array({"settings": {}}, dtype=object)})
    elif damage == "frames missing":
        np.savez(path, **arrays | {"fake": arrays["fake"][:-1]})
    else:
        np.savez(
            path,
            **arrays | {"about": np.array(str(arrays["about"]).replace("d_lr_ratio", "rate_of_d"))},
        )
    with pytest.raises(
        DataUnavailable, match=r"load: path should be a whole recording, got a damaged run.npz"
    ):
        load(path)


def test_what_is_not_there_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(DataUnavailable, match="which is no file"):
        load(tmp_path / "none.npz")
    with pytest.raises(InputError, match=r"recorded: name should be one of ring, .*, got 'moon'"):
        recorded("moon")


def test_shipped_files_are_small():
    assert {path.stem.replace("_", " ") for path in FILES.glob("*.npz")} == {*SHIPPED, *UNNAMED}
    assert sum(path.stat().st_size for path in FILES.iterdir()) < 1_800_000


@pytest.mark.parametrize("name", [*SHIPPED, *UNNAMED])
def test_a_shipped_run_shows_what_it_was_recorded_for(name):
    run = load(file_of(name))
    assert tuple(diagnoses(run)) == EXPECTED[name], "the right rule holds, and no other"
    assert symptoms(run) == pytest.approx(run.symptoms, abs=0.005), (
        "recomputed from the frames as they are stored"
    )
    assert 40 <= len(run.frames) <= 55
    assert all(math.isfinite(value) for frame in run.frames for value in frame.scores)


@pytest.mark.parametrize("name", [*SHIPPED, *UNNAMED])
def test_a_shipped_run_is_real(name):
    """Its start is played again.

    Rounding differs between machines and a game magnifies it, so only few rounds are compared.
    """
    run = load(file_of(name))
    every = int(run.frames[1].scores.step)
    rounds = every if every <= 16 else 0
    fresh = record(run.settings, max(1, rounds), max(1, rounds))
    for a, b in list(zip(run.frames, fresh.frames, strict=False))[: 2 if rounds else 1]:
        assert torch.allclose(a.real, b.real, atol=0.002) and torch.allclose(
            a.fake, b.fake, atol=0.05
        )
        assert torch.allclose(a.surface, b.surface, atol=0.05)
        assert a.scores.d_loss == pytest.approx(b.scores.d_loss, abs=0.05)


def test_what_the_lab_says_of_the_recorded_runs():
    first_covered = {}
    for name in ("ring", "grid", "two"):
        run = recorded(name)
        first_covered[name] = next(
            f.scores.step for f in run.frames if f.scores.modes == len(run.density.centres)
        )
    assert (
        first_covered["ring"] < 300 and first_covered["grid"] > 3000 and first_covered["two"] <= 60
    )
    assert next(f.scores.step for f in recorded("spiral").frames if f.scores.modes >= 60) < 200
    assert {f.scores.modes for f in recorded("collapse").frames[20:]} == {2, 3}
    assert recorded("ring").frames[-1].scores.d_loss == pytest.approx(2 * math.log(2), abs=0.02)


def test_rules_tell_the_runs_apart_by_what_they_say():
    s = dict(
        covered=1.0, near=0.9, accuracy=0.5, push=0.1, divergence=0.1, leaping=0.0, travelled=2.0
    )
    assert [name for name, rule in RULES.items() if rule(s)] == ["healthy"]
    assert not RULES["healthy"](s | {"leaping": 0.9}) and not RULES["healthy"](s | {"covered": 0.5})
    collapsed = s | {"covered": 0.25, "divergence": 0.4}
    assert RULES["mode collapse"](collapsed) and not RULES["mode collapse"](
        collapsed | {"near": 0.1}
    )
    won = s | {"covered": 0.0, "accuracy": 1.0, "push": 0.001, "divergence": 0.69}
    assert RULES["the discriminator wins"](won) and not RULES["the discriminator wins"](
        won | {"push": 1.0}
    )
    assert RULES["oscillation"](collapsed | {"leaping": 0.9}) and not RULES["mode collapse"](
        collapsed | {"leaping": 0.9}
    )
