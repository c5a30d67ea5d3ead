"""The experiments of section 2.7, played button by button on three seeds.

Each does what the text promises, at the settings that the text names.
"""

import itertools

import matplotlib

matplotlib.use("Agg")
import pytest
import torch

from gencourse import widgets
from gencourse.gan_lab.recording import recorded

SEEDS = (0, 1, 2)
seeds = pytest.mark.parametrize("seed", SEEDS)


@pytest.fixture
def lab(monkeypatch):
    monkeypatch.setattr(widgets.notebook, "widgets_can_run", lambda: True)
    made = widgets.gan_lab()
    yield made
    made.close()


def live(lab, seed, **rules):
    """Choose "play live", set the controls, and press "Another seed" so many times."""
    lab.mode.value = "live"
    for name, value in rules.items():
        lab.live.controls[name].value = value
    lab.live.reset_button.click()
    while lab.live.base.seed < seed:
        lab.live.seed_button.click()
    assert lab.live.current.settings.seed == seed and lab.live.current.steps == 0
    return lab.live


def press(lab, button, moves):
    """Press a button at × 50 until so many moves are made; the moments that it showed."""
    lab.live.times.value = 50
    seen = [lab.live.frame]
    for _ in range(moves // 50):
        button.click()
        assert "B00020" not in lab.status.value
        seen.append(lab.live.frame)
    return seen


def leaping(frames):
    """The share of samples that move by more than 1 from one moment to the next, on average."""
    moves = [(b.fake - a.fake).norm(dim=1) > 1 for a, b in itertools.pairwise(frames)]
    return torch.stack(moves).double().mean().item()


def spread(frame):
    """The standard deviation of samples along both axes, the larger one."""
    return frame.fake.std(0).max().item()


def test_1_arrows_are_long_while_the_samples_are_found_out_and_vanish_in_a_draw(lab):
    pushes = [frame.scores.push for frame in recorded("ring").frames]
    longest = max(range(len(pushes)), key=pushes.__getitem__)
    assert longest < 10 and pushes[-1] < 0.3 * pushes[longest]
    assert recorded("ring").frames[-1].scores.accuracy < 0.6


@pytest.mark.slow
@seeds
def test_2_against_a_d_that_stands_still_the_samples_run_into_one_place(lab, seed):
    game = live(lab, seed)
    before, *_, taught = press(lab, game.d_button, 300)
    assert torch.equal(before.fake, taught.fake), "G waits"
    assert taught.scores.accuracy > 0.9 and taught.surface.max() - taught.surface.min() > 0.9
    after = press(lab, game.g_button, 400)[-1]
    assert torch.equal(taught.surface, after.surface), "D waits"
    travelled = (after.fake - taught.fake).norm(dim=1)
    assert spread(after) < 0.4 and after.scores.modes <= 1, "in one place; the data spread by 1.4"
    assert travelled.min() > 0.5, "where none of them had been"


@pytest.mark.slow
@seeds
def test_3_the_loss_alone_decides_whether_a_sure_d_teaches(lab, seed):
    lab.mode.value = "recorded"
    lab.choice.value = "discriminator wins"
    lab.take.click()
    found = {}
    for loss in ("saturating", "non-saturating"):
        game = live(lab, seed, loss=loss)
        found[loss] = press(lab, game.step_button, 200)[-1].scores
    assert found["saturating"].modes == 0 and found["saturating"].push < 0.01
    assert found["non-saturating"].modes >= 1 and found["non-saturating"].push > 0.1
    assert found["saturating"].share == 0 < 0.1 < found["non-saturating"].share


@pytest.mark.slow
@seeds
def test_4_without_a_penalty_a_large_rate_makes_the_samples_leap(lab, seed):
    calm = leaping(press(lab, live(lab, seed).step_button, 400)[4:])
    game = live(lab, seed, penalty="none", lr=0.03)
    frames = press(lab, game.step_button, 400)
    assert calm < 0.1 < leaping(frames[4:])


@pytest.mark.slow
@seeds
def test_5_a_line_covers_the_ring_and_bridges_the_gaps(lab, seed):
    game = live(lab, seed, noise="normal 1-D")
    last = press(lab, game.step_button, 600)[-1]
    steps = (last.sheet[0, 1:] - last.sheet[0, :-1]).norm(dim=1)
    assert last.sheet.shape == (1, 289, 2) and last.scores.modes >= 6
    assert steps.max() < 1, "it nowhere jumps: modes are 1.5 apart"


@pytest.mark.slow
@seeds
@pytest.mark.timeout(900)
def test_6_a_critic_needs_a_penalty_and_too_much_of_it_makes_the_game_swing(lab, seed):
    found = {}
    for penalty, weight, rounds in (
        ("none", 0.1, 200),
        ("gradient penalty", 10.0, 300),
        ("gradient penalty", 0.1, 700),
    ):
        game = live(lab, seed, loss="Wasserstein", penalty=penalty, penalty_weight=weight)
        found[penalty, weight] = press(lab, game.step_button, rounds)
    free, stiff, held = found.values()
    steepest = max(frame.scores.push for frame in free)
    assert steepest > 10 and leaping(free[-3:]) > 0.5, "its slope shoots up"
    assert leaping(stiff[-4:]) > 0.3 and stiff[-1].scores.modes <= 4, "it swings"
    assert leaping(held[-4:]) < 0.1 and max(frame.scores.modes for frame in held[-6:]) >= 6


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("run", "change", "rounds", "least"),
    [("collapse", "R1 with weight 0.1", 800, 6), ("oscillation", "both of these", 500, 6)],
)
def test_a_failed_run_recovers_with_the_change_that_the_lab_offers(lab, run, change, rounds, least):
    lab.choice.value, lab.change.value = run, change
    lab.take.click()
    assert press(lab, lab.live.step_button, rounds)[-1].scores.modes >= least
