"""Noise levels, particles, steps and guidance: what is moved changes what is shown, as the exact
fields say, and a static figure takes a widget's place.
"""

import io

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from gencourse import widgets
from gencourse.errors import InputError
from gencourse.models import diffusion as df
from gencourse.widgets.guidance import guided_samples, spread
from gencourse.widgets.noise_levels import noisy_points, score_map

MEANS = torch.tensor([[-1.5, 0.8], [1.2, -0.6]])
PATH = df.linear()


def exact(means=MEANS, std=0.4, path=PATH):
    return df.ExactDiffusion(df.isotropic_mixture(means, std), path)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def live(monkeypatch):
    monkeypatch.setattr("gencourse.widgets.notebook.widgets_can_run", lambda: True)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGB")).astype(int)


# --- noise


def test_points_move_on_lines_from_data_to_noise():
    model = exact()
    start, middle, end = (noisy_points(model, t) for t in (0.0, 0.5, 1.0))
    torch.testing.assert_close(middle, (start + end) / 2)
    assert torch.cdist(start, MEANS).min(1).values.mean() < 0.7
    assert end.std().item() == pytest.approx(1, abs=0.1)


def test_arrows_point_up_the_density_and_are_shortened():
    ax = score_map(exact(), 0.5, 3.5, plt.subplots()[1])
    [arrows] = ax.collections
    at, along = torch.tensor(arrows.XY), torch.tensor(np.stack([arrows.U, arrows.V], 1))
    step = 1e-3 * along / along.norm(dim=1, keepdim=True)
    log_p = exact().log_prob
    assert (log_p((at + step).float(), 0.5) > log_p((at - step).float(), 0.5)).all()
    assert along.norm(dim=1).max() < 2 * 0.9 * 3.5 / 12


def test_slider_shows_its_time(live):
    explorer = widgets.noise_explorer(exact())
    first = pixels(explorer.image.value)
    assert explorer.label.value.startswith("α = 0.700, σ = 0.300")
    explorer.time.value = 0.0
    assert "signal-to-noise ratio infinite" in explorer.label.value
    assert (pixels(explorer.image.value) != first).any()
    assert (pixels(explorer.show(0.3)) == first).all()


def test_noise_strip_has_a_column_for_each_time():
    figure = widgets.noise_strip(exact(), times=(0.1, 0.6))
    assert [ax.get_title() for ax in figure.axes] == ["t = 0.1", "t = 0.6", "", ""]
    line = exact(torch.tensor([[0.0]]))
    for function in (widgets.noise_strip, widgets.noise_explorer):
        with pytest.raises(InputError, match="exact should be about points in the plane"):
            function(line)


# --- particles


def test_grid_begins_as_a_grid_and_ends_where_the_flow_map_says():
    model = exact(torch.tensor([[0.5, -0.5]]), 0.5)
    frames = widgets.carried_grid(model.velocity, torch.zeros(1), side=4, steps=80)
    assert frames.shape == (81, 16, 2) and frames[0].max() == 2.1
    wanted = torch.tensor([0.5, -0.5]) + 0.5 * frames[0]
    torch.testing.assert_close(frames[-1], wanted, atol=0.01, rtol=0)


def test_player_moves_the_particles(live):
    replay = widgets.flow_replay(exact().velocity, side=3, steps=4)
    assert replay.label.value == "t = 1.00"
    first = pixels(replay.image.value)
    replay.position.value = 4
    assert replay.label.value == "t = 0.00" and (pixels(replay.image.value) != first).any()
    assert replay.player.max == 4


def test_flow_strip_shows_the_moments_asked_for():
    frames = widgets.carried_grid(exact().velocity, torch.zeros(1), side=3, steps=4)
    figure = widgets.flow_strip(frames, shown=(1.0, 0.5, 0.0))
    assert [ax.get_title() for ax in figure.axes] == ["t = 1", "t = 0.5", "t = 0"]
    dots = figure.axes[1].lines[-1].get_xydata()
    assert np.allclose(dots, frames[2].numpy())
    with pytest.raises(InputError, match="frames should have shape"):
        widgets.flow_strip(torch.zeros(3, 7, 2))


# --- steps and guidance


def test_guided_samples_are_ddims_and_few_steps_shrink_their_spread():
    cond, uncond = exact(MEANS[:1]), exact()
    truth = spread(cond.sample(4000))
    found = [spread(guided_samples(cond, uncond, n, 1.0, n=1000)) / truth for n in (1, 2, 5, 50)]
    assert found[0] < 0.01 < found[1] < found[2] < found[3] < 1.05
    narrower = spread(guided_samples(cond, uncond, 50, 4.0, n=1000)) / truth
    assert narrower < 0.9 * found[3]
    away = guided_samples(cond, uncond, 50, 4.0, n=1000).mean(0) - MEANS[0]
    assert away @ (MEANS[0] - MEANS[1]) > 0, "pushed beyond the class, away from the other"


def test_sliders_show_their_steps_and_weight(live):
    explorer = widgets.guidance_explorer(exact(MEANS[:1]), exact())
    first = pixels(explorer.image.value)
    explorer.steps.value = 1
    assert "spread 0.00 of that of the class" in explorer.label.value
    second = pixels(explorer.image.value)
    explorer.steps.value, explorer.weight.value = 20, 4.0
    third = pixels(explorer.image.value)
    assert (first != second).any() and (second != third).any() and (first != third).any()


def test_guidance_strip_names_its_panels_and_wants_one_path():
    figure = widgets.guidance_strip(exact(MEANS[:1]), exact(), steps=(1, 20), weights=(1.0, 3.0))
    assert figure.axes[0].get_title() == "w = 1, 1 steps: 0.00"
    assert [ax.get_title().split(":")[0] for ax in figure.axes[2:]] == [
        "w = 3, 1 steps",
        "w = 3, 20 steps",
    ]
    with pytest.raises(InputError, match="uncond should be on the path of cond"):
        widgets.guidance_strip(exact(MEANS[:1]), exact(path=df.linear()))


@pytest.mark.parametrize("kind", ["noise", "flow", "guidance"])
def test_a_figure_stands_in_where_widgets_cannot_run(kind, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    made = {
        "noise": lambda: widgets.noise_explorer(exact()),
        "flow": lambda: widgets.flow_replay(exact().velocity, side=3, steps=4),
        "guidance": lambda: widgets.guidance_explorer(exact(MEANS[:1]), exact()),
    }[kind]()
    assert made.box is None
    made._ipython_display_()
    [figure] = shown
    assert figure.get_figwidth() == 9.0
