"""The GAN lab: every control does what it says, Pause pauses, errors become sentences, and a strip
stands in on paper.
"""

import asyncio
import html
import io
import math
import threading
from dataclasses import replace

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from gencourse import widgets
from gencourse.errors import InputError, InputTypeError
from gencourse.gan_lab.curves import draw_value
from gencourse.gan_lab.panels import LAYERS, arrow_lines
from gencourse.gan_lab.picture import Picture
from gencourse.gan_lab.recording import SHIPPED, record, recorded
from gencourse.gan_lab.settings import CHOICES, Settings
from gencourse.gan_lab.shapes import SHAPES
from gencourse.gan_lab.story import CHANGES, STORIES
from gencourse.gan_lab.strip import curves_of
from gencourse.models.gan import LOSSES
from gencourse.widgets.lab_live import Live
from tests.lanes import mostly_slow

SMALL = Settings(hidden=8, batch_size=16)
RED = "B00020"


@pytest.fixture
def notebook(monkeypatch):
    monkeypatch.setattr(widgets.notebook, "widgets_can_run", lambda: True)


@pytest.fixture
def live(notebook):
    lab = widgets.gan_lab(SMALL)
    yield lab
    lab.close()


@pytest.fixture
def watching(notebook):
    lab = widgets.gan_lab()
    yield lab
    lab.close()


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(bytes(png)))).astype(int)


def states(lab):
    gan = lab.live.match.gan
    return [
        torch.cat([p.detach().flatten().clone() for p in network.parameters()])
        for network in (gan.discriminator, gan.generator)
    ]


def test_the_lab_opens_on_a_recorded_run(watching):
    assert watching.mode.value == "recorded" and watching.live.match is None, (
        "nothing is trained to open it"
    )
    assert watching.run.title == SHIPPED["ring"]
    assert np.array_equal(pixels(watching.image.value), pixels(drawn(watching.run, 0)))


def drawn(run, now):
    """What a fresh picture of a recorded moment looks like."""
    scores = [frame.scores for frame in run.frames]
    return Picture().draw(run.frames[now], scores[: now + 1], run.settings, until=scores[-1].step)


def test_the_slider_shows_each_moment(watching):
    for now in (7, len(watching.run.frames) - 1, 0):
        watching.position.value = now
        assert np.array_equal(pixels(watching.image.value), pixels(drawn(watching.run, now))), (
            "nothing of the moment before is left"
        )


@pytest.mark.slow
def test_the_list_holds_every_recorded_run(watching):
    for name in SHIPPED:
        watching.choice.value = name
        assert watching.run.settings == recorded(name).settings and watching.position.value == 0
        assert watching.position.max == watching.player.max == len(watching.run.frames) - 1
        assert html.escape(STORIES[name]) in watching.about.value


@pytest.mark.slow
def test_a_recording_that_is_handed_in_comes_first(notebook):
    run = record(SMALL, steps=4, every=1)
    lab = widgets.gan_lab(run)
    assert lab.run is run and lab.position.max == 4
    lab.choice.value = "two"
    lab.choice.value = "this run"
    assert lab.run is run


def test_play_this_live_takes_over_the_rules(watching):
    watching.choice.value = "discriminator wins"
    watching.take.click()
    assert (
        watching.mode.value == "live"
        and watching.live.match.settings == watching.run.settings
        and watching.live.match.steps == 0
    )
    assert (
        watching.live.controls["d_lr_ratio"].value == 40
        and watching.live.controls["d_steps"].value == 5
    )


def test_buttons_move_the_players_they_name(live):
    for button, expected in (
        (live.live.step_button, "DG"),
        (live.live.d_button, "D"),
        (live.live.g_button, "G"),
    ):
        before, picture = states(live), live.image.value
        button.click()
        moved = [not torch.equal(a, b) for a, b in zip(before, states(live), strict=True)]
        assert moved == ["D" in expected, "G" in expected]
        assert live.image.value != picture and live.live.moved == expected
    assert [scores.step for scores in live.live.trail] == [0, 1, 2, 3]
    assert "generator made one move" in live.status.value


@pytest.mark.slow
def test_a_press_counts_fifty_where_the_reader_says_so(live):
    live.live.times.value = 50
    for button, who, said in (
        (live.live.d_button, "D", "discriminator made 50 moves"),
        (live.live.step_button, "DG", "50 rounds"),
    ):
        before, steps = states(live), live.live.match.steps
        button.click()
        moved = [not torch.equal(a, b) for a, b in zip(before, states(live), strict=True)]
        assert moved == ["D" in who, "G" in who] and live.live.match.steps == steps + 50
        assert said in live.status.value
    assert [scores.step for scores in live.live.trail] == [0, 50, 100], "one picture a press"


def test_the_list_of_runs_is_there_also_where_no_change_is_offered(watching):
    for name, offered in (("ring", False), ("collapse", True)):
        watching.choice.value = name
        assert watching.choice.layout.display != "none"
        assert (watching.change.layout.display != "none") == offered


def test_another_seed_is_another_match_and_reset_the_same(live):
    start = states(live)
    live.live.seed_button.click()
    assert live.live.match.settings.seed == 1 and "seed 1" in live.status.value
    other = states(live)
    assert not any(torch.equal(a, b) for a, b in zip(start, other, strict=True))
    live.live.reset_button.click()
    assert all(torch.equal(a, b) for a, b in zip(other, states(live), strict=True))


def test_defaults_give_the_first_match_whatever_has_been_set(live):
    start, rules = states(live), live.live.match.settings
    for name, value in {"lr": 0.03, "penalty": "none", "noise": "normal 1-D"}.items():
        live.live.controls[name].value = value
    live.live.seed_button.click()
    live.live.step_button.click()
    live.live.defaults_button.click()
    assert live.live.match.settings == rules == live.live.shown()
    assert all(torch.equal(a, b) for a, b in zip(start, states(live), strict=True))
    assert "as at first" in live.status.value


@pytest.mark.slow
def test_reader_draws_the_data(live):
    canvas = live.live.canvas
    assert canvas.box.layout.display == "none" and not canvas.buttons, "built when it is wanted"
    live.live.controls["data"].value = "drawn"
    assert canvas.box.layout.display == "" and canvas.shape.value == "smile"
    assert live.live.match.settings.cells == SHAPES["smile"]
    canvas.shape.value = "cross"
    assert live.live.match.settings.cells == SHAPES["cross"] and live.live.match.steps == 0
    canvas.buttons[0].value = True
    assert live.live.match.settings.cells == (0, *SHAPES["cross"])
    assert canvas.shape.value == "your own"
    assert live.live.match.settings.density.centres[0].tolist() == [-2.5, -2.5]
    assert all("x₁ = " in one.tooltip for one in canvas.buttons.values())
    canvas.show((60,), visible=True)
    canvas.buttons[60].value = False
    assert RED in live.status.value and "at least one cell" in live.status.value
    canvas.buttons[61].value = True
    assert RED not in live.status.value and live.live.match.settings.cells == (61,)
    live.live.controls["data"].value = "ring"
    assert canvas.box.layout.display == "none" and live.live.match.settings.data == "ring"


@pytest.mark.parametrize("run", mostly_slow(["collapse", "discriminator wins", "oscillation"]))
def test_a_failed_run_is_played_with_one_change(watching, run):
    assert watching.change.layout.display == "none", "a healthy run needs none"
    watching.choice.value = run
    assert watching.change.layout.display == ""
    words, changed = next(iter(CHANGES[run].items()))
    watching.change.value = words
    watching.take.click()
    assert watching.live.match.settings == replace(recorded(run).settings, **changed)
    watching.mode.value = "recorded"
    watching.choice.value = "ring"
    watching.take.click()
    assert watching.live.match.settings == recorded("ring").settings


@pytest.mark.slow
def test_samples_that_left_the_picture_are_told(live):
    assert "outside" not in live.warning.value
    with torch.no_grad():
        live.live.match.gan.generator[-1].bias.add_(10)
    live.live.look()
    assert "300 of 300 samples are outside of the picture" in live.warning.value
    live.mode.value = "recorded"
    assert "outside" not in live.warning.value


def test_layers_that_need_it_are_explained(watching):
    assert "Grid of codes" in watching.explained.value
    watching.layers["grid of codes"].value = False
    assert watching.explained.value == ""
    watching.layers["best possible D"].value = True
    assert "p_data / (p_data + p_g)" in watching.explained.value


def test_reset_starts_anew(live):
    start = states(live)
    live.live.step_button.click()
    live.live.reset_button.click()
    assert live.live.match.steps == 0 and len(live.live.trail) == 1
    assert all(torch.equal(a, b) for a, b in zip(start, states(live), strict=True))


@pytest.mark.parametrize(
    ("name", "value"),
    mostly_slow(
        [
            ("penalty", "gradient penalty"),
            ("optimizer", "SGD"),
            *(("loss", loss) for loss in list(LOSSES)[1:]),
            ("penalty_weight", 5.0),
            ("lr", 0.01),
            ("d_lr_ratio", 0.5),
            ("d_steps", 3),
            ("g_steps", 4),
        ],
        fast=2,
    ),
)
def test_a_rule_changes_in_the_match_under_way(live, name, value):
    live.live.step_button.click()
    match, before = live.live.match, states(live)
    live.live.controls[name].value = value
    assert live.live.match is match and match.steps == 1 and getattr(match.settings, name) == value
    assert all(torch.equal(a, b) for a, b in zip(before, states(live), strict=True)), (
        "nobody moves for it"
    )
    assert "From now on" in live.status.value
    live.live.step_button.click()
    assert match.steps == 2 and RED not in live.status.value


@pytest.mark.parametrize(
    ("name", "value"),
    mostly_slow(
        [("data", "spiral"), ("noise", "normal 1-D"), ("noise", "uniform 2-D"), ("hidden", 16)]
    ),
)
def test_other_data_noise_or_networks_start_a_new_match(live, name, value):
    live.live.step_button.click()
    live.live.controls[name].value = value
    assert live.live.match.steps == 0 and getattr(live.live.match.settings, name) == value
    assert live.live.match.settings.batch_size == SMALL.batch_size, "what has no control stays"
    live.live.step_button.click()
    assert live.live.match.steps == 1 and RED not in live.status.value


def test_every_choice_has_its_place_in_a_list(live):
    for name, choices in CHOICES.items():
        assert tuple(live.live.controls[name].options) == tuple(choices)


@pytest.mark.slow
def test_loss_curves_of_another_loss_are_not_continued(live):
    live.live.step_button.click()
    live.live.controls["loss"].value = "hinge"
    live.live.step_button.click()
    earlier, now, later = live.live.trail
    assert math.isnan(earlier.d_loss) and not math.isnan(earlier.divergence)
    assert now.step == 1 and math.isfinite(now.d_loss) and later.step == 2


@pytest.mark.parametrize("layer", mostly_slow(LAYERS))
def test_every_layer_can_be_shown_and_hidden(watching, layer):
    watching.position.value = 5
    before = pixels(watching.image.value)
    watching.layers[layer].value = not LAYERS[layer]
    assert not np.array_equal(pixels(watching.image.value), before)
    watching.layers[layer].value = LAYERS[layer]
    assert np.array_equal(pixels(watching.image.value), before)


def test_play_plays_and_pause_pauses(live):
    async def scene():
        live.live.speed.value = 2
        live.live.play_button.click()
        assert live.live.play_button.description == "Pause"
        picture = live.image.value
        while live.live.match.steps < 4:
            await asyncio.sleep(0.01)
        assert live.image.value != picture, "the kernel's loop had its turns in between"
        live.live.controls["loss"].value = "hinge"
        reached = live.live.match.steps
        while live.live.match.steps < reached + 4:
            await asyncio.sleep(0.01)
        assert live.live.match.settings.loss == "hinge" and live.live.task is not None, (
            "a new rule does not stop the play"
        )
        live.live.play_button.click()
        steps, picture = live.live.match.steps, live.image.value
        await asyncio.sleep(0.4)
        assert (live.live.match.steps, live.image.value) == (steps, picture)
        assert live.live.play_button.description == "Play" and Live.playing is None

    asyncio.run(asyncio.wait_for(scene(), 280))


def test_a_new_match_plays_on_if_the_old_one_did(live):
    async def scene():
        live.live.play_button.click()
        live.live.controls["data"].value = "two"
        assert live.live.match.settings.data == "two" and live.live.task is not None
        while live.live.match.steps < 3:
            await asyncio.sleep(0.01)
        live.live.step_button.click()
        assert live.live.task is None, "Step pauses"

    asyncio.run(asyncio.wait_for(scene(), 280))


@pytest.mark.slow
def test_play_stops_when_the_lab_is_closed_or_another_one_plays(live, notebook):
    async def scene():
        other = widgets.gan_lab(SMALL)
        live.live.play_button.click()
        task = live.live.task
        other.live.play_button.click()
        assert live.live.task is None and Live.playing is other.live
        await asyncio.wait_for(task, 280)
        task = other.live.task
        await asyncio.sleep(0.05)
        other.close()
        await asyncio.wait_for(task, 280)
        steps = other.live.match.steps
        await asyncio.sleep(0.3)
        assert other.live.match.steps == steps and Live.playing is None

    asyncio.run(asyncio.wait_for(scene(), 280))


@pytest.mark.slow
def test_the_cell_run_again_stops_the_match_that_it_showed_before(live, notebook):
    async def scene():
        live.live.play_button.click()
        widgets.gan_lab(SMALL)
        assert live.live.task is None

    asyncio.run(scene())


def test_play_without_an_event_loop_says_so(live):
    live.live.play_button.click()
    assert RED in live.status.value and "Press Step instead" in live.status.value
    assert live.live.task is None and live.live.play_button.description == "Play"


def test_a_match_that_diverges_ends_in_a_sentence(notebook):
    async def scene():
        lab = widgets.gan_lab(
            Settings(
                loss="Wasserstein",
                penalty="none",
                optimizer="SGD",
                lr=1.0,
                d_lr_ratio=50.0,
                hidden=8,
                batch_size=16,
            )
        )
        lab.live.play_button.click()
        while lab.live.task is not None:
            await asyncio.sleep(0.01)
        assert (
            RED in lab.status.value
            and "should be finite" in lab.status.value
            and "press Reset" in lab.status.value
        )
        for name, value in (("lr", 1e-3), ("d_lr_ratio", 1.0)):
            lab.live.controls[name].value = value
        lab.live.reset_button.click()
        lab.live.step_button.click()
        assert RED not in lab.status.value and lab.live.match.steps == 1, "and Reset mends it"

    asyncio.run(asyncio.wait_for(scene(), 280))


@pytest.mark.parametrize(
    "error", [RuntimeError("out of <memory>"), ZeroDivisionError("division by zero"), KeyError("x")]
)
def test_any_error_becomes_a_sentence(live, monkeypatch, error):
    def broken():
        raise error

    monkeypatch.setattr(live.live.match, "step", broken)
    live.live.step_button.click()
    assert RED in live.status.value and "<memory>" not in live.status.value

    async def scene():
        live.tell("")
        live.live.play_button.click()
        while live.live.task is not None:
            await asyncio.sleep(0.01)
        assert RED in live.status.value and live.live.play_button.description == "Play"

    asyncio.run(asyncio.wait_for(scene(), 280))


@pytest.mark.slow
def test_messages_in_several_threads_do_not_spoil_the_picture(watching, monkeypatch):
    """A kernel with subshells hands a page's messages to more than one thread."""
    failures = []
    monkeypatch.setattr(threading, "excepthook", failures.append)

    def drag(start):
        for now in range(start, 40, 5):
            watching.position.value = now

    threads = [threading.Thread(target=drag, args=(start,)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    watching.position.value = 50
    assert np.array_equal(pixels(watching.image.value), pixels(drawn(watching.run, 50)))


def test_the_flow_fills_the_box_of_who_moved(live):
    live.live.d_button.click()
    generator, discriminator = (
        live.flow.value.split("generator G")[0],
        live.flow.value.split("generator G")[1].split("discriminator D")[0],
    )
    assert "background" not in generator and "background" in discriminator
    assert f"loss {live.live.frame.scores.g_loss:.2f} nats" in live.flow.value


def test_everything_that_can_be_moved_has_a_name(watching):
    """The keyboard leads to all of it, and a screen reader says what it is."""
    live = watching.live
    names = ("play_button", "step_button", "reset_button", "seed_button", "d_button", "g_button")
    buttons = [*(getattr(live, name) for name in names), watching.take]
    assert all(button.tooltip and button.description for button in buttons)
    others = [*live.controls.values(), live.times, live.speed, *watching.layers.values()]
    others += [watching.choice, watching.position, watching.change]
    assert all(one.description for one in others)


def test_a_draw_is_the_best_that_a_blind_discriminator_can_do():
    expected = {
        "non-saturating": 2 * math.log(2),
        "saturating": 2 * math.log(2),
        "least squares": 0.25,
        "hinge": 2.0,
        "Wasserstein": 0.0,
    }
    assert {loss: draw_value(loss) for loss in LOSSES} == pytest.approx(expected)


def test_arrows_point_along_the_push_and_are_never_long():
    starts, arrows = torch.zeros(3, 2), torch.tensor([[0.5, 0.0], [0.0, -1e4], [0.0, 0.0]])
    lines = arrow_lines(starts, arrows)
    assert lines.shape == (2, 5, 2), "where nothing pushes nothing is drawn"
    assert lines[0, 1] == pytest.approx([0.35, 0]) and lines[1, 1] == pytest.approx(
        [0, -0.7], abs=1e-3
    )
    assert np.abs(lines).max() <= 0.75


def test_a_strip_stands_in_where_widgets_cannot_run(capsys):
    lab = widgets.gan_lab(recorded("collapse"))
    assert lab.box is None
    lab._ipython_display_()
    assert "Figure" in capsys.readouterr().out
    lab.close()
    strip = lab.static_figure()
    assert isinstance(strip, Figure) and strip.subfigs[0].get_suptitle() == SHIPPED["collapse"]
    alone = widgets.film_strip(recorded("collapse"))
    assert alone.subfigs[0].get_suptitle() == "ring", "a strip alone gives no diagnosis away"
    assert [ax.get_title() for ax in strip.subfigs[0].axes][::5] == [
        "after 0 rounds",
        "after 800 rounds",
    ]
    assert (
        widgets.film_strip(recorded("collapse"), columns=3, title="").subfigs[0].get_suptitle()
        == ""
    )
    plt.close("all")


@pytest.mark.slow
def test_settings_on_paper_are_played_for_the_strip(monkeypatch):
    strip = widgets.gan_lab(SMALL).static_figure()
    assert "non-saturating loss" in strip.subfigs[0].get_suptitle()
    losses = strip.subfigs[1].axes[0].lines[0].get_ydata()
    assert len(losses) == 6
    plt.close("all")


def test_curves_show_the_recorded_scores():
    run = recorded("ring")
    losses, distance = curves_of(run)
    assert losses.lines[0].get_ydata()[-1] == pytest.approx(run.frames[-1].scores.d_loss)
    assert distance.lines[0].get_ydata()[0] == pytest.approx(math.log(2), abs=0.01)
    plt.close("all")


def test_other_things_are_refused_in_a_sentence():
    with pytest.raises(
        InputTypeError, match="gan_lab: start should be a Recording or Settings, got str 'ring'"
    ):
        widgets.gan_lab("ring")
    with pytest.raises(InputError, match="film_strip: columns should be at least 2, got 1"):
        widgets.film_strip(recorded("two"), columns=1)


def test_image_replay_shows_the_step_of_its_slider(notebook):
    frames = {
        100: torch.zeros(3, 1, 4, 5),
        0: torch.ones(3, 1, 4, 5),
        20: torch.full((3, 1, 4, 5), 0.5),
    }
    replay = widgets.image_replay(frames, columns=2, zoom=3)
    assert replay.label.value == "step 100" and pixels(replay.image.value).shape == (
        (2 * 4 + 2) * 3,
        (2 * 5 + 2) * 3,
    )
    for position, step, grey in ((0, "step 0", 255), (1, "step 20", 128), (2, "step 100", 0)):
        replay.position.value = position
        assert replay.label.value == step and pixels(replay.image.value)[0, 0] == grey


def test_image_replay_on_paper_and_its_errors():
    frames = {step: torch.rand(4, 3, 4, 5) for step in range(0, 100, 10)}
    assert widgets.image_replay(frames).box is None
    assert [ax.get_ylabel() for ax in widgets.replay_strip(frames, rows=3).axes] == [
        "step 0",
        "step 40",
        "step 90",
    ]
    with pytest.raises(InputError, match="frames should hold at least one step"):
        widgets.image_replay({})
    with pytest.raises(InputError, match=r"frames\[10\] should have one shape"):
        widgets.image_replay({0: torch.rand(2, 1, 4, 5), 10: torch.rand(3, 1, 4, 5)})
    plt.close("all")
