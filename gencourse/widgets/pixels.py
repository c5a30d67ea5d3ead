"""Pixel replay: binary images as a model draws them pixel by pixel, with its probabilities."""

import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from gencourse.errors import InputError, InputTypeError, describe
from gencourse.figures import PAGE_WIDTH, PALETTE, SMALL
from gencourse.validation import require_count, require_same_shape, require_tensor
from gencourse.widgets import notebook
from gencourse.widgets.drawing import figure_png
from gencourse.widgets.notebook import ipywidgets

MOST = 6  # images side by side
FRAMES, SECONDS = 112, 30  # of a film, at most
SCALE = {"cmap": "viridis", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
GREY = {"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
LABEL = "probability of 1 (white)"


def moment(x: Tensor, probabilities: Tensor, known: Tensor, done: int) -> tuple[Tensor, Tensor]:
    """The images and the probabilities after `done` pixels have been drawn, both (n, 1, H, W).

    Raster order, without the `known` (1, H, W), which are there from the start. What is not drawn
    yet is 0.5 in the images; the probabilities are NaN wherever nothing has been drawn.
    """
    # the number of a pixel among those to be drawn, from 1
    number = (~known).flatten().cumsum(0).view(known.shape)
    drawn = ~known & (number <= done)
    return torch.where(drawn | known, x, 0.5), torch.where(drawn, probabilities, torch.nan)


def side_by_side(x: Tensor, gap: int = 2) -> Tensor:
    """Images (n, 1, H, W) in a row with gaps of NaN: (H, n (W + gap) - gap)."""
    return torch.cat([F.pad(image[0], (0, gap), value=torch.nan) for image in x], 1)[:, :-gap]


def pixel_strip(
    x: Tensor, probabilities: Tensor, known: Tensor | None = None, moments: int = 8, images: int = 3
) -> Figure:
    """The static pixel replay: the first `images` of x at several moments.

    Below each image stand the probabilities so far. Arguments as for `pixel_replay`.
    """
    x, probabilities, known = validated("pixel_strip", x, probabilities, known)
    require_count("pixel_strip", "moments", moments, at_least=2)
    require_count("pixel_strip", "images", images)
    x, probabilities, total = x[:images], probabilities[:images], int((~known).sum())
    with plt.rc_context(SMALL):
        side = min(1.15, (PAGE_WIDTH - 1.4) / moments)
        size = (PAGE_WIDTH, 2 * (side + 0.05) * len(x) * x.shape[2] / x.shape[3] + 0.85)
        figure, axes = plt.subplots(
            2 * len(x), moments, figsize=size, squeeze=False, layout="constrained"
        )
        for column in range(moments):
            done = round(column * total / (moments - 1))
            now, p = moment(x, probabilities, known, done)
            axes[0, column].set_title(f"{done} of {total}" + " pixels" * (column == 0))
            for i in range(len(x)):
                axes[2 * i, column].imshow(now[i, 0].numpy(), **GREY)
                shown = axes[2 * i + 1, column].imshow(p[i, 0].numpy(), **SCALE)
                axes[2 * i + 1, column].patch.set(hatch="/////", edgecolor="0.6")
        for ax in axes.flat:
            ax.set(xticks=[], yticks=[])
        for i in range(len(x)):
            axes[2 * i, 0].set_ylabel(f"image {i + 1}" if len(x) > 1 else "image")
            axes[2 * i + 1, 0].set_ylabel("probability")
        figure.colorbar(shown, ax=axes, label=LABEL, shrink=min(1, 1.6 / len(x)), aspect=25)
        figure.suptitle(
            "Drawn pixel by pixel, row after row. Grey: not drawn yet. Hatched: no probability, "
            "since nothing was drawn there"
        )
    return figure


class PixelFilm:
    """The picture of one moment: the images so far, and beside or below them the probabilities so
    far.

    Made once, since axes take longer to make than to fill.
    """

    def __init__(self, n: int, H: int, W: int) -> None:
        self.n, self.W, gap = n, W, 2
        stacked, width = n > 2, n * (W + gap) - gap
        inch = min(7.2 / width, 2.6 / H) if stacked else min(3.2 / width, 3.2 / H)  # of a pixel
        size = (
            (width * inch + 1.5, 2 * (H * inch + 0.75))
            if stacked
            else (2 * (width * inch + 0.55) + 0.9, H * inch + 0.85)
        )
        with plt.rc_context(SMALL):
            self.figure = Figure(figsize=size, dpi=140, layout="constrained")
            upper, lower = self.figure.subplots(*((2, 1) if stacked else (1, 2)))
            nothing = torch.full((H, width), torch.nan, device="cpu").numpy()
            self.image, self.map = upper.imshow(nothing, **GREY), lower.imshow(nothing, **SCALE)
            self.next = [self.marked(ax, i * (W + gap)) for ax in (upper, lower) for i in range(n)]
            for i in range(n):
                lower.add_patch(
                    Rectangle(
                        (i * (W + gap) - 0.5, -0.5),
                        W,
                        H,
                        fill=False,
                        hatch="/////",
                        ec="0.6",
                        lw=0,
                        zorder=-1,
                    )
                )
            for ax in (upper, lower):
                ax.set_xticks([0, W - 1], [1, W])
                ax.set_yticks([0, H - 1], [1, H])
                ax.set(
                    xlabel="column of each image (pixels)" if n > 1 else "column (pixels)",
                    ylabel="row (pixels)",
                )
                ax.spines[:].set_visible(False)
            upper.set_title(
                "Images so far (grey: not drawn yet)"
                if n > 1
                else "Image so far (grey: not drawn yet)"
            )
            lower.set_title("Model's probabilities (hatched: nothing drawn)")
            self.figure.colorbar(self.map, ax=lower, label=LABEL, shrink=0.9, pad=0.02)
        # pixels on the page; there are more dots, for sharp screens
        self.width = round(100 * self.figure.get_figwidth())
        self.figure.draw_without_rendering()
        self.figure.set_layout_engine("none")  # the layout is found: keep it, which is faster

    def marked(self, ax: Axes, start: int) -> tuple[Rectangle, int]:
        """A frame around the next pixel of the image whose first column is `start`."""
        frame = Rectangle((0, 0), 1.8, 1.8, fill=False, ec=PALETTE[1], lw=1.6, zorder=3)
        ax.add_patch(frame)
        return frame, start

    def draw(self, now: Tensor, p: Tensor, following: int | None) -> bytes:
        """PNG bytes of images and probabilities (n, 1, H, W); `following` is the next pixel in
        raster order, None at the end.
        """
        self.image.set_data(side_by_side(now).numpy())
        self.map.set_data(side_by_side(p).numpy())
        for frame, start in self.next:
            frame.set_visible(following is not None)
            if following is not None:
                frame.set_xy((start + following % self.W - 0.9, following // self.W - 0.9))
        return figure_png(self.figure)


class PixelReplay:
    """A Play button and a slider over the pixels, the images so far, and the probabilities so far.

    See `pixel_replay` for the arguments. In a notebook the last line of a cell displays it; where
    widgets cannot run the static strip is drawn instead. `show(done)` is what the slider calls,
    `caption(done)` the words above the picture.
    """

    def __init__(self, x: Tensor, probabilities: Tensor, known: Tensor | None) -> None:
        self.x, self.probabilities, self.known = validated("pixel_replay", x, probabilities, known)
        # the pixels in the order of their drawing
        self.order = (~self.known).flatten().nonzero().flatten().tolist()
        self.total = len(self.order)
        # pixels from one moment of the film to the next
        self.stride = math.ceil(self.total / FRAMES)
        self.film, self.box = PixelFilm(len(self.x), *self.x.shape[2:]), None
        if notebook.widgets_can_run():
            self.build()

    def build(self) -> None:
        """Make the widgets and connect them.

        The player counts moments of the film, the slider pixels.
        """
        last = math.ceil(self.total / self.stride)
        self.player = ipywidgets.Play(
            value=0, min=0, max=last, interval=min(400, 1000 * SECONDS // last)
        )
        self.position = ipywidgets.IntSlider(
            value=0,
            min=0,
            max=self.total,
            description="pixels",
            layout=ipywidgets.Layout(width="420px"),
        )
        self.label = ipywidgets.HTML()
        self.image = ipywidgets.Image(
            format="png",
            layout=ipywidgets.Layout(
                max_width=f"min(100%, {self.film.width}px)", object_fit="contain"
            ),
        )
        self.player.observe(lambda change: self.played(), names="value")
        self.position.observe(lambda change: self.moved(), names="value")
        row = ipywidgets.HBox(
            [self.player, self.position], layout=ipywidgets.Layout(flex_flow="row wrap")
        )
        self.box = ipywidgets.VBox([row, self.label, self.image])
        self.redraw()

    def played(self) -> None:
        """Take the slider along, unless it stands in this moment already."""
        if self.player.value != math.ceil(self.position.value / self.stride):
            self.position.value = min(self.player.value * self.stride, self.total)

    def moved(self) -> None:
        """Draw, and let the film go on from here."""
        self.redraw()
        self.player.value = math.ceil(self.position.value / self.stride)

    def show(self, done: int) -> bytes:
        """The picture after `done` pixels, as PNG bytes."""
        now, p = moment(self.x, self.probabilities, self.known, done)
        return self.film.draw(now, p, self.order[done] if done < self.total else None)

    def caption(self, done: int) -> str:
        """Which pixel is next, and the model's probability for it in each image."""
        if done == self.total:
            return f"All {self.total} pixels are drawn."
        i, j = divmod(self.order[done], self.x.shape[3])
        p = ", ".join(f"{value:.2f}" for value in self.probabilities[:, 0, i, j].tolist())
        each = " in each image" if len(self.x) > 1 else ""
        return (
            f"{done} of {self.total} pixels drawn. Next (framed): row {i + 1}, column {j + 1}; "
            f"probability of 1{each}: {p}"
        )

    def redraw(self) -> None:
        """Show the moment of the slider."""
        done = self.position.value
        self.label.value, self.image.value = self.caption(done), self.show(done)

    def _ipython_display_(self) -> None:
        notebook.display_widget_or_figure(
            self.box, lambda: pixel_strip(self.x, self.probabilities, self.known)
        )


def validated(
    where: str, x: Tensor, probabilities: Tensor, known: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """The arguments on the CPU, `known` as a mask; raise unless `pixel_replay` can take them."""
    require_same_shape(where, x=x, probabilities=probabilities)
    if x.ndim != 4 or x.shape[1] != 1 or x.numel() == 0:
        raise InputError(
            f"{where}: x should have shape (n, 1, H, W), got {tuple(x.shape)}. Add what is "
            "missing: x[None]."
        )
    if len(x) > MOST:
        raise InputError(
            f"{where}: x should hold at most {MOST} images, got {len(x)}. Choose some: "
            f"x[:{MOST}], probabilities[:{MOST}]."
        )
    x, probabilities = x.detach().cpu().float(), probabilities.detach().cpu().float()
    if not ((x == 0) | (x == 1)).all():
        raise InputError(
            f"{where}: x should hold 0 and 1 only, got other values too. Make it binary: (x > "
            "0.5).float()."
        )
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        low, high = probabilities.min().item(), probabilities.max().item()
        raise InputError(
            f"{where}: probabilities should lie in [0, 1], got [{low:.3g}, {high:.3g}]. Pass "
            "logits.sigmoid()."
        )
    if known is None:
        return x, probabilities, torch.zeros_like(x[0], dtype=torch.bool)
    require_tensor(where, "known", known)
    if known.dtype != torch.bool:
        raise InputTypeError(
            f"{where}: known should be a mask of True and False, got {describe(known)}. Compare: "
            "known > 0."
        )
    if known.shape != x.shape[1:] or known.all():
        got = "a mask without any False" if known.all() else f"shape {tuple(known.shape)}"
        raise InputError(
            f"{where}: known should have shape (1, H, W) = {tuple(x.shape[1:])} and leave pixels "
            f"to draw, got {got}. Change the mask."
        )
    return x, probabilities, known.cpu()


def pixel_replay(x: Tensor, probabilities: Tensor, known: Tensor | None = None) -> PixelReplay:
    """Watch up to six binary images being drawn pixel by pixel, beside the model's probabilities.

    x (n, 1, H, W) of 0 and 1; probabilities (n, 1, H, W), those of a 1 when each pixel was drawn.
    They are `model(x).sigmoid()` of the finished images, since a causal model's logit at a pixel
    depends on the pixels before it only. known (1, H, W) bool: pixels that were given, not drawn,
    as in PixelCNN.complete; they are there from the start.
    """
    return PixelReplay(x, probabilities, known)
