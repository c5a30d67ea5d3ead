"""Figures hold the pixels and numbers they were given, have titles and labels, and leave matplotlib
as it was.
"""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pytest
import torch

from gencourse import figures
from gencourse.errors import InputError, InputTypeError
from gencourse.training import History


@pytest.fixture(autouse=True)
def clean():
    before = dict(plt.rcParams)
    yield
    plt.close("all")
    assert dict(plt.rcParams) == before


def test_tile_puts_every_pixel_in_its_place():
    x = torch.rand(5, 1, 2, 3)
    canvas = figures.tile(x, columns=3, gap=1)
    assert canvas.shape == (5, 11)
    assert torch.equal(canvas[0:2, 4:7], x[1, 0]) and torch.equal(canvas[3:5, 0:3], x[3, 0])
    assert (canvas[2] == 1).all() and (canvas[3:5, 8:11] == 1).all()
    assert figures.tile(torch.rand(2, 3, 4, 5), 2).shape == (4, 12, 3)


@pytest.mark.parametrize("shape", [(2, 3), (0, 1, 4, 4), (2, 2, 4, 4)])
def test_tile_refuses_what_is_no_batch_of_images(shape):
    with pytest.raises(InputError, match="x should have shape"):
        figures.tile(torch.zeros(shape), 2)
    with pytest.raises(InputTypeError):
        figures.tile([1], 2)


def labelled(ax):
    return ax.get_title() and ax.get_xlabel() and ax.get_ylabel()


def test_grey_images_are_shown_from_zero_to_one():
    ax = figures.image_grid(torch.full((3, 1, 2, 2), 0.5), columns=2, title="three")
    assert ax.images[0].get_clim() == (0, 1) and ax.get_title() == "three"


def test_headings_stand_over_their_columns():
    x = torch.rand(6, 1, 4, 5)
    ax = figures.image_grid(x, columns=3, headings=("a", "b", "c"))
    middles = [text.get_position()[0] for text in ax.texts]
    wide = figures.tile(x, 3).shape[1] / 3
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c"]
    assert all(abs(middle - (i + 0.5) * wide) < 1 for i, middle in enumerate(middles))


def test_a_logarithmic_axis_is_marked_with_plain_numbers():
    ax = figures.curves(torch.arange(3), {"y": torch.tensor([9.0, 30.0, 150.0])}, "x", "y", "t")
    figures.log_scale(ax)
    ax.figure.canvas.draw()
    low, high = ax.get_ylim()
    marks = [
        label.get_text()
        for label, at in zip(ax.get_yticklabels(), ax.get_yticks(), strict=True)
        if low <= at <= high
    ]
    assert marks == ["10", "20", "50", "100"]


def test_training_curves_show_running_means_with_units():
    history = History({"loss": list(range(80, 0, -1)), "kl": [1.0] * 80})
    ax = figures.training_curves(history)
    assert labelled(ax) and "nats" in ax.get_ylabel()
    assert ax.lines[0].get_ydata()[0] == 79.5 and ax.lines[0].get_xdata()[0] == 2
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle(), "told apart without colour"
    own = plt.subplots()[1]
    assert figures.training_curves(history, ax=own) is own


def test_curves_and_scatter_and_map_are_labelled():
    x = torch.linspace(0, 1, 5)
    assert labelled(figures.curves(x, {"a": x, "b": x**2}, "x", "y", "two curves"))
    ax = figures.latent_scatter(torch.randn(50, 2), torch.arange(50) % 3, title="codes")
    assert labelled(ax) and [t.get_text() for t in ax.get_legend().get_texts()] == ["0", "1", "2"]
    with pytest.raises(InputError, match=r"z should have shape \(N, 2\)"):
        figures.latent_scatter(torch.randn(5, 3), torch.zeros(5))
    n = 4
    grid = figures.prior_quantile_grid(n)
    pictures = grid.sum(-1)[..., None, None, None].expand(n, n, 1, 3, 3).sigmoid()
    ax = figures.image_map(pictures, grid[0, :, 0], title="map")
    assert labelled(ax) and len(ax.get_xticks()) == len(ax.get_yticks()) == n
    heights = [float(t.get_text()) for t in ax.get_yticklabels()]
    assert heights == sorted(heights) and ax.get_yticks()[0] > ax.get_yticks()[-1], (
        "high z₂ is at the top"
    )


def test_image_rows_and_families_draw():
    axes = figures.image_rows(
        {"a": torch.rand(3, 1, 4, 4), "b": torch.rand(3, 1, 4, 4)}, title="rows"
    )
    assert [ax.get_ylabel() for ax in axes] == ["a", "b"]
    words = {t.get_text() for t in figures.families().texts}
    assert {"exact", "a lower bound", "not available"} <= words


def test_prior_grid_cells_hold_equal_mass():
    grid = figures.prior_quantile_grid(9)
    assert grid.shape == (9, 9, 2)
    torch.testing.assert_close(torch.special.ndtr(grid[0, :, 0]), (torch.arange(9) + 0.5) / 9)
    assert (grid[0, :, 1] == grid[0, 0, 1]).all() and grid[0, 0, 1] > grid[-1, 0, 1]
    assert grid[4, 4].abs().max() < 1e-6
