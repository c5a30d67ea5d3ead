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


@pytest.mark.parametrize("text", ["$x_{$", "$x_{", "a $\\nonsense$ b", "$x^$\n$y_$", "5 $ and $_$"])
def test_a_text_that_is_no_formula_is_drawn_as_it_stands(text):
    image_texts = figures.image_grid(torch.rand(2, 1, 3, 3), 2, title=text, headings=[text])
    rows = figures.image_rows({text: torch.rand(2, 1, 3, 3)}, title=text)
    plane = figures.point_clouds({text: torch.rand(3, 2), "other": torch.rand(3, 2)}, title=text)
    line = figures.curves(torch.arange(3.0), {text: torch.rand(3)}, text, text, text)
    for ax in (image_texts, rows[0], plane, line):
        ax.figure.canvas.draw()
    assert image_texts.get_title().replace("\\$", "$") == text


def test_formulas_stay_formulas():
    ax = figures.image_grid(torch.rand(2, 1, 3, 3), 2, title=r"$\mu_1$ and \$5")
    assert ax.get_title() == r"$\mu_1$ and \$5"


def test_bytes_are_drawn_as_grey_and_not_as_white():
    x = torch.tensor([[[[0, 51], [255, 102]]]], dtype=torch.uint8)
    assert torch.allclose(figures.tile(x, 1), torch.tensor([[0.0, 0.2], [1.0, 0.4]]))


@pytest.mark.parametrize("x", [torch.tensor([0.0, 255.0]), torch.tensor([-1.0, 1.0])])
def test_values_that_would_be_drawn_black_or_white_are_refused(x):
    with pytest.raises(InputError, match=r"x should lie in \[0, 1\], got .* in \[.*255 by|.*norm"):
        figures.image_grid(x.view(2, 1, 1, 1), columns=2)
    figures.image_grid(x.view(2, 1, 1, 1).clamp(-0.2, 1.2), columns=2)  # a decoder's small excess


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: figures.image_grid(torch.rand(2, 1, 3, 3), columns=0), "columns should be at"),
        (lambda: figures.image_grid(torch.rand(2, 1, 3, 3), columns=2.0), "a whole number"),
        (lambda: figures.image_rows({}), "got none"),
        (lambda: figures.image_map(torch.rand(4, 1, 3, 3), torch.arange(2)), r"\(n, n, C, H, W\)"),
        (lambda: figures.heatmap(torch.rand(7), "seven"), "n · n numbers"),
        (lambda: figures.point_clouds({"a": torch.rand(4, 3)}, "t"), r"'a' should have shape"),
        (lambda: figures.latent_scatter(torch.rand(3, 2), torch.rand(3)), "whole numbers, got"),
        (lambda: figures.latent_scatter(torch.rand(3, 2), torch.eye(3)), r"argmax\(1\)"),
        (lambda: figures.latent_scatter(torch.rand(3, 2), [0, 1, 2]), r"torch\.Tensor"),
        (lambda: figures.latent_scatter(torch.rand(3, 2), torch.arange(4)), r"shape \(3,\)"),
    ],
)
def test_figures_refuse_with_a_sentence(draw, words):
    with pytest.raises((InputError, InputTypeError), match=words):
        draw()


@pytest.mark.parametrize("kind", [torch.float32, torch.uint8, torch.bool])
def test_labels_of_any_kind_that_are_whole_are_classes(kind):
    ax = figures.latent_scatter(torch.rand(3, 2), torch.tensor([0, 1, 1]).to(kind))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0", "1"]
