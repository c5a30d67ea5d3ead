"""Figures hold the pixels and numbers they were given, have titles and labels, and leave matplotlib
as it was.
"""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from gencourse import figures
from gencourse.errors import InputError, InputTypeError
from gencourse.figures.diagrams import kit
from gencourse.models.autoregressive import MADE, made_masks
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


def frames_of(ax):
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


@pytest.mark.parametrize("white", [torch.ones(1, 1, 4, 5), torch.full((1, 3, 4, 5), 255).byte()])
def test_images_have_frames_where_one_would_be_lost_on_the_paper(white):
    x = torch.cat([torch.zeros_like(white), white, torch.zeros_like(white)])
    frames = frames_of(figures.image_grid(x, columns=2))
    wide, high = 5 + 2, 4 + 2
    assert [frame.get_xy() for frame in frames] == [
        (-0.5, -0.5),
        (wide - 0.5, -0.5),
        (-0.5, high - 0.5),
    ]
    assert {(frame.get_width(), frame.get_height()) for frame in frames} == {(5, 4)}
    rows = figures.image_rows({"dark": x[:1], "both": x})
    assert [len(frames_of(ax)) for ax in rows] == [1, 3]
    x[1, ..., 0] = x[1, ..., -1] = 0  # black sides: seen without a frame
    assert not frames_of(figures.image_grid(x, columns=2))


def test_numbers_below_zero_have_a_minus_sign():
    x = torch.rand(2, 1, 4, 5)
    ax = figures.image_grid(x, columns=2, title="-3 to -1.5, top-5", headings=("a\n-12", "b-1"))
    assert ax.get_title() == "−3 to −1.5, top-5"
    assert [text.get_text() for text in ax.texts] == ["a\n−12", "b-1"]


def test_headings_stand_over_their_columns():
    x = torch.rand(6, 1, 4, 5)
    ax = figures.image_grid(x, columns=3, headings=("a", "b", "c"))
    middles = [text.get_position()[0] for text in ax.texts]
    wide = figures.tile(x, 3).shape[1] / 3
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c"]
    assert all(abs(middle - (i + 0.5) * wide) < 1 for i, middle in enumerate(middles))


@pytest.mark.parametrize("heading", ["a", "a\nb", "a\nb\nc"])
def test_a_title_stands_above_headings_of_several_lines(heading):
    ax = figures.image_grid(
        torch.rand(2, 1, 4, 5), columns=2, title="title", headings=(heading, heading)
    )
    ax.figure.canvas.draw()
    title, below = ax.title.get_window_extent(), ax.texts[0].get_window_extent()
    assert title.y0 >= below.y1 and title.y1 <= ax.figure.bbox.y1


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


def test_codes_keep_equal_limits_and_nothing_is_said_in_red(caplog):
    figure, (left, _) = figures.panels(2, height=4.1)
    figures.latent_scatter(torch.rand(50, 2), torch.arange(50) % 3, ax=left)
    left.set(xlim=(-2, 2), ylim=(-2, 2))  # as wide as the map beside it
    figure.canvas.draw()
    assert left.get_xlim() == left.get_ylim() == (-2, 2) and not caplog.records


def test_curves_and_scatter_and_map_are_labelled():
    x = torch.linspace(0, 1, 5)
    assert labelled(figures.curves(x, {"a": x, "b": x**2}, "x", "y", "two curves"))
    ax = figures.latent_scatter(torch.randn(50, 2), torch.arange(50) % 3, title="codes")
    assert labelled(ax) and ax.get_legend() is None, "numerals say the class"
    assert ax.get_aspect() == 1 and len(ax.collections) == 3
    other = figures.latent_scatter(torch.randn(50, 2), torch.arange(50) % 12)
    assert [t.get_text() for t in other.get_legend().get_texts()][-2:] == ["10", "11"]
    with pytest.raises(InputError, match=r"z should have shape \(N, 2\)"):
        figures.latent_scatter(torch.randn(5, 3), torch.zeros(5))
    n = 4
    grid = figures.prior_quantile_grid(n)
    pictures = grid.sum(-1)[..., None, None, None].expand(n, n, 1, 3, 3).sigmoid()
    ax = figures.image_map(pictures, grid[0, :, 0], title="map")
    assert labelled(ax) and len(ax.get_xticks()) == len(ax.get_yticks()) == n
    heights = [float(t.get_text().replace("−", "-")) for t in ax.get_yticklabels()]
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
    assert len(ax.collections) == 2
    own = torch.rand(3, 2)
    one, two = figures.latent_scatter(own, torch.tensor([0, 1, 1]).to(kind)).collections
    assert (
        torch.equal(torch.tensor(two.get_offsets().data), own[1:].double())
        and len(one.get_offsets()) == 1
    )


def luminance(color):
    """Relative luminance of a colour (WCAG 2)."""
    levels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), levels, strict=True))


def contrast(color, other):
    low, high = sorted((luminance(color), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def every_figure():
    """One of each kind, as a chapter calls it, without axes of its own."""
    x, z = torch.rand(6, 1, 5, 5), torch.randn(40, 2)
    line, n = torch.linspace(1, 9, 9), 5
    grid = figures.prior_quantile_grid(n)
    return {
        "families": figures.families(),
        "graphical_model": figures.graphical_model(),
        "vae_diagram": figures.vae_diagram(),
        "vae_diagram without": figures.vae_diagram(reparameterised=False),
        "gan_diagram": figures.gan_diagram(),
        "coupling_diagram": figures.coupling_diagram(),
        "coupling_diagram inverse": figures.coupling_diagram(inverse=True),
        "diffusion_diagram": figures.diffusion_diagram(),
        "gpt_block": figures.gpt_block(),
        "query_key_value": figures.query_key_value(),
        "pixelcnn_stacks": figures.pixelcnn_stacks(),
        "made_network": figures.made_network(made_masks(5, 7, 2)),
        "training_curves": figures.training_curves(History({"loss": [3.0, 2.0], "kl": [1.0, 1.0]})),
        "curves": figures.curves(line, {"a": line, "b": -line}, "x", "y", "t", {"a": line / 9}),
        "bars": figures.bars(["p", "q"], {"a": [1, 2], "b": [-1, 3]}, "nats", "t"),
        "image_grid": figures.image_grid(x, 3, "t", headings="abc"),
        "image_rows": figures.image_rows({"a": x, "b": x}, "t", headings="abcdef")[0],
        "image_map": figures.image_map(x[:1].expand(n, n, 1, 5, 5), grid[0, :, 0], "t"),
        "latent_scatter": figures.latent_scatter(z, torch.arange(40) % 4, "t"),
        "point_clouds": figures.point_clouds({"a": z, "b": z}, "t"),
        "vector_field": figures.vector_field(z, -z, "t", longest=0.5),
        "trajectories": figures.trajectories(line, torch.rand(9, 4), "t"),
        "heatmap": figures.heatmap(torch.rand(16), "t", label="p"),
    }


def test_all_figures_have_the_width_of_the_page_and_its_colour():
    for name, ax in every_figure().items():
        figure = ax.figure
        assert figure.get_figwidth() == figures.PAGE_WIDTH, name
        assert contrast(figure.get_facecolor(), "white") < 1.1 and figure.patch.get_alpha() is None


def texts(figure):
    """The texts of a figure that are drawn."""
    for ax in figure.axes:
        yield from (ax.title, *ax.texts)
        yield from ax.get_legend().get_texts() if ax.get_legend() else ()
        for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
            low, high = sorted(axis.get_view_interval())
            places = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
            yield axis.label
            yield from (label for at, label in places if low <= at <= high)
    yield from ([figure._suptitle] if figure._suptitle else [])


def test_all_texts_can_be_read_and_none_is_cut_off():
    """WCAG's AA: a contrast of 4.5 at least with the card."""
    seen = 0
    for name, ax in every_figure().items():
        figure = ax.figure
        figure.draw_without_rendering()
        for text in texts(figure):
            if text.get_text():
                (left, low), (right, high) = text.get_window_extent().get_points()
                wide, tall = figure.bbox.size
                inside = left > -1 and low > -1 and right < wide + 1 and high < tall + 1
                assert inside, (name, text.get_text())
                assert contrast(text.get_color(), figure.get_facecolor()) >= 4.5, (name, text)
                assert text.get_fontsize() >= 8, (name, text)
                seen += 1
    assert seen > 100
    assert contrast("#777777", "white") == pytest.approx(4.48, abs=0.01), "known of WCAG"


def test_panels_have_the_page_and_the_ratios_they_were_asked_for():
    figure, ax = figures.panels()
    assert ax is figure.axes[0] and figure.get_figwidth() == figures.PAGE_WIDTH
    figure, axes = figures.panels(2, height=2.5, ratios=(1, 3), sharey=True)
    figure.draw_without_rendering()
    left, right = (one.get_position() for one in axes)
    assert figure.get_figheight() == 2.5 and right.width / left.width == pytest.approx(3, rel=0.1)
    assert figures.panels(3, rows=2)[1].shape == (2, 3)
    with pytest.raises(InputError, match="panels: n should be at least 1"):
        figures.panels(0)


def test_images_never_leave_the_page():
    for columns, scale in ((3, None), (40, None), (12, 2.0), (4, 2.0)):
        ax = figures.image_grid(torch.rand(columns, 1, 4, 4), columns, scale=scale)
        rows = figures.image_rows(
            {"a long name of a row": torch.rand(columns, 1, 4, 4)}, "t", scale
        )
        for one in (ax, rows[0]):
            place = one.get_position()
            assert 0 <= place.x0 < place.x1 <= 1 and 0 <= place.y0 < place.y1 <= 1


def test_rows_of_images_begin_at_one_place_whatever_their_names():
    short, long = (
        figures.image_rows({name: torch.rand(n, 1, 4, 4)})[0]
        for name, n in (("z", 9), ("test image", 14))
    )
    assert short.get_position().x0 == long.get_position().x0
    axes = figures.image_rows({"a": torch.rand(4, 1, 4, 4), "b": torch.rand(2, 1, 4, 4)})
    assert axes[0].images[0].get_array().shape == axes[1].images[0].get_array().shape
    assert (axes[1].images[0].get_array()[:, 12:] == 1).all(), "what a row lacks is white"


@pytest.mark.parametrize("n", [4, 5, 15, 20])
def test_a_map_has_ticks_that_lie_as_the_prior_does(n):
    grid = figures.prior_quantile_grid(n)
    ticks = grid[0, :, 0]
    ax = figures.image_map(torch.rand(n, n, 1, 3, 3), ticks)
    shown = [text.get_text().replace("−", "-") for text in ax.get_xticklabels()]
    assert shown == [f"{-float(text) + 0.0:.1f}" for text in reversed(shown)], "symmetric"
    assert n % 2 == 0 or "0.0" in shown
    assert ax.get_xticks().tolist() == [
        pytest.approx(3 * (ticks - float(text)).abs().argmin().item() + 1) for text in shown
    ]


def test_the_square_of_a_map_is_where_its_ticks_are():
    ticks = torch.tensor([-1.5, 0.0, 1.5])
    ax = figures.latent_scatter(torch.randn(9, 2), torch.zeros(9))
    square = figures.map_square(ticks, ax).patches[-1]
    assert square.get_xy() == (-1.5, -1.5) and square.get_width() == square.get_height() == 3


def test_error_bars_reach_as_far_as_was_said():
    x, y, half = torch.arange(3.0), torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.5, 0.25, 1.0])
    ax = figures.curves(x, {"a": y, "b": y + 1}, "x", "y", "t", errors={"a": half})
    [bars] = [c for c in ax.collections if isinstance(c, LineCollection)]
    ends = [segment[:, 1].tolist() for segment in bars.get_segments()]
    assert ends == torch.stack([y - half, y + half], 1).tolist()
    with pytest.raises(InputError, match=r"errors should have names of ys \(a\), got c"):
        figures.curves(x, {"a": y}, "x", "y", "t", errors={"c": half})


def test_bars_stand_at_their_values_and_differ_without_colour():
    ax = figures.bars(["p", "q"], {"a": [1, -2], "b": torch.tensor([3.0, 4.5])}, "nats", "t")
    heights = [[bar.get_height() for bar in group] for group in ax.containers]
    assert heights == [[1, -2], [3, 4.5]]
    assert ax.containers[0][0].get_hatch() != ax.containers[1][0].get_hatch()
    assert [text.get_text() for text in ax.texts] == ["1", "−2", "3", "4.5"]
    middles = [bar.get_x() + bar.get_width() / 2 for group in ax.containers for bar in group]
    assert middles[0] < 0 < middles[2] and (middles[0] + middles[2]) == pytest.approx(0)
    with pytest.raises(InputError, match="should have 2 values, one for each name, got 1"):
        figures.bars(["p", "q"], {"a": [1]}, "nats", "t")


def test_both_axes_can_be_logarithmic():
    ax = figures.curves(torch.tensor([1, 500]), {"y": torch.tensor([9, 150])}, "x", "y", "t")
    figures.log_scale(ax, "both")
    ax.figure.draw_without_rendering()
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert {"1", "20", "500"} <= {text.get_text() for text in ax.get_xticklabels()}
    with pytest.raises(InputError, match="axis should be 'x', 'y' or 'both', got 'z'"):
        figures.log_scale(ax, "z")


def arrows(ax, dashed):
    """Where the arrows of a schematic begin and end: pairs of points."""
    found = []
    for patch in ax.patches:
        if isinstance(patch, FancyArrowPatch) and (patch.get_linestyle() != "-") == dashed:
            path = patch.get_path()  # the shaft, then the head
            head = [i for i, code in enumerate(path.codes) if code == path.MOVETO][1]
            found.append(path.vertices[[0, head - 1]])
    return found


def test_the_gradient_passes_where_it_should():
    """With the draw outside, dashed arrows leave z to the left, and none goes down to ε; with it
    inside they end at the cross.
    """
    z = 4.45
    outside, inside = (figures.vae_diagram(reparameterised=r) for r in (True, False))
    for ax, left in ((outside, 2), (inside, 1)):
        from_z = [(a, b) for a, b in arrows(ax, dashed=True) if abs(a[0] - z) < 0.4]
        assert len(from_z) == left and all(b[0] < a[0] for a, b in from_z)
        reach_encoder = [b for a, b in arrows(ax, dashed=True) if 2 < b[0] < 2.5]
        assert len(reach_encoder) == 2, "the KL term teaches the encoder in both"
    assert min(b[0] for a, b in from_z) > 3.7, "it ends between z and its parameters"
    said = {text.get_text() for text in outside.texts}
    assert any("no gradient" in text for text in said)
    assert any("stops" in text.get_text() for text in inside.texts)


def test_schematics_fit_into_axes_of_their_own():
    _, (left, right) = figures.panels(2, height=2.7)
    assert figures.graphical_model(left) is left and figures.vae_diagram(ax=right) is right
    whole = figures.vae_diagram()
    assert max(t.get_fontsize() for t in right.texts) < max(t.get_fontsize() for t in whole.texts)
    words = {text.get_text() for text in left.texts}
    assert {"$z$", "$x$", "$N$", r"$q_\phi(z \mid x)$"} <= words


def test_the_style_is_set_once_and_can_be_set_back():
    assert plt.rcParams["figure.facecolor"] == figures.style.PAPER
    with plt.rc_context():
        plt.style.use("default")
        assert plt.rcParams["figure.facecolor"] == "white"
        figures.use_style()
        assert all(
            plt.rcParams[key] == value
            for key, value in figures.style.STYLE.items()
            if key != "figure.figsize"
        )


def test_in_a_game_each_player_gets_its_own_gradient():
    """Above, in D's turn, nothing reaches a sample or G; below the gradient passes through D."""
    ax = figures.gan_diagram()
    upper = [(a[0], b[0]) for a, b in arrows(ax, dashed=True) if a[1] > 1.4]
    lower = [(a[0], b[0]) for a, b in arrows(ax, dashed=True) if a[1] < 1.4]
    assert min(end for _, end in upper) > 3.7 and max(start for start, _ in upper) < 6
    assert [round(end, 1) for _, end in sorted(lower)] == [2.3, 3.3, 5.3]
    frozen = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert frozen["G, frozen"] > 1.4 > frozen["D, frozen"]


@pytest.mark.parametrize("output", range(5))
def test_made_network_shades_the_pixels_that_an_output_depends_on(output):
    """Those for which the network has a gradient: an ordinary MADE with the same masks."""
    masks = made_masks(5, 7, 2)
    ax = figures.made_network(masks, output)
    circles = [patch for patch in ax.patches if isinstance(patch, Circle)]
    shaded = [patch.get_facecolor() == to_rgba(kit.TINTS["observed"]) for patch in circles[:5]]
    made, x = MADE((1, 1, 5), 7, 2), torch.rand(1, 1, 1, 5, requires_grad=True)
    made(x).flatten()[output].backward()
    assert shaded == (x.grad.flatten() != 0).tolist() == [d < output for d in range(5)]
    lines = sum(len(c.get_segments()) for c in ax.collections)
    assert lines == sum(int(mask.sum()) for mask in masks)


def test_made_network_refuses_what_is_no_network():
    with pytest.raises(InputError, match=r"follow one another.*\[\(2, 3\), \(4, 5\)\]"):
        figures.made_network([torch.ones(2, 3), torch.ones(4, 5)])
    with pytest.raises(InputError, match="masks should be of layers"):
        figures.made_network([])
    with pytest.raises(InputError, match=r"output should lie in 0\.\.1, got 2"):
        figures.made_network([torch.ones(2, 3)], output=2)


def test_schematics_name_what_the_equations_do():
    words = {text.get_text() for text in figures.query_key_value().texts}
    assert {r"$q_t = W_q x_t$", r"$q_t \cdot k_{2} / \sqrt{d}$", r"$w_{t}$"} <= words
    assert r"$w_{t+1}$" not in words and any("masked" in word for word in words)
    order = [text.get_text() for text in figures.gpt_block().texts]
    assert order.index("norm") < order.index("attention") < order.index("MLP")


def test_arrows_are_drawn_as_they_are_or_shortened():
    x, v = torch.zeros(2, 2), torch.tensor([[3.0, 4.0], [0.0, 1e-3]])
    [own], [cut] = (figures.vector_field(x, v, "t", longest=r).collections for r in (None, 0.6))
    assert list(own.U) == [3, 0] and own.V[1] == pytest.approx(1e-3)
    assert cut.U[0] == pytest.approx(0.3) and cut.V[0] == pytest.approx(0.4)
    assert cut.V[1] == pytest.approx(0.6e-3 / 1.001)


def test_trajectories_have_a_line_for_each_point():
    times, x = torch.linspace(1, 0, 5), torch.randn(5, 3, 1)
    lines = figures.trajectories(times, x, "t").lines
    assert len(lines) == 3
    found = torch.tensor(lines[1].get_xydata(), dtype=torch.float32)
    torch.testing.assert_close(found, torch.stack([times, x[:, 1, 0]], 1))
    with pytest.raises(InputError, match=r"x should have shape \(5, N\)"):
        figures.trajectories(times, torch.randn(4, 3), "t")
    with pytest.raises(InputError, match=r"x should have shape \(N, 2\)"):
        figures.vector_field(torch.randn(3, 3), torch.randn(3, 3), "t")
