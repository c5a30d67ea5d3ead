"""The attention viewer: where each position of a text looks, layer by layer and head by head."""

from collections.abc import Sequence
from html import escape
from typing import Any, cast

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from gencourse.errors import InputError, InputTypeError, describe
from gencourse.figures import PAGE_WIDTH, PALETTE, SMALL, panels
from gencourse.validation import require_tensor
from gencourse.widgets import notebook
from gencourse.widgets.drawing import drawable, figure_png, visible, without_mathtext
from gencourse.widgets.notebook import ipywidgets

MEAN = "mean of heads"
LABEL = "attention weight (each row sums to 1)"
READABLE = 36  # positions whose tokens still fit on an axis
STRONGEST = 5  # weights told in words
BOX = (
    "background:white; color:black; border:1px solid #bbb; padding:8px 10px; line-height:2.1; "
    "font-family:monospace; font-size:14px; white-space:pre-wrap; overflow-wrap:anywhere; "
    "max-width:820px"
)


def attention_map(
    weights: Tensor,
    tokens: Sequence[str],
    query: int | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Weights (T, T) as a map: row t holds where position t looks.

    A frame marks the row of `query`, which counts from 0.

    The shades follow the square root of the weight, so that small weights can be seen; dark is
    much.
    """
    if ax is None:
        _, ax = panels(height=4.4)
    T = len(tokens)
    ax.imshow(
        weights.detach().cpu().float().numpy(),
        cmap="Blues",
        norm=PowerNorm(0.5, vmin=0, vmax=1),
        interpolation="nearest",
    )
    if T <= READABLE:
        names = [drawable(token) for token in tokens]
        font: dict[str, Any] = {"family": "monospace", "size": min(9, 270 / T)}
        ax.set_xticks(range(T), names, rotation=0 if max(map(len, names)) <= 2 else 90, **font)
        ax.set_yticks(range(T), names, **font)
        without_mathtext([*ax.get_xticklabels(), *ax.get_yticklabels()])
        ax.tick_params(length=0, pad=2)
    else:
        label_positions(ax, T, 8)
    if query is not None:
        ax.add_patch(
            Rectangle((-0.5, query - 0.5), T, 1, fill=False, ec=PALETTE[1], lw=1.6, clip_on=False)
        )
    without_mathtext([ax.set_title(title)])
    ax.set(xlabel="key: the position looked at", ylabel="query: the position that looks")
    return ax


def label_positions(ax: Axes, T: int, most: int) -> None:
    """About `most` ticks for T positions, counted from 1."""
    shown = range(0, T, max(1, -(-T // most)))
    ax.set_xticks(shown, [str(i + 1) for i in shown])
    ax.set_yticks(shown, [str(i + 1) for i in shown])


def attention_grid(
    weights: Tensor, tokens: Sequence[str], title: str = "Where each position looks"
) -> Figure:
    """The static attention viewer: a map for every layer (rows) and head (columns).

    Arguments as for `attention_viewer`.
    """
    weights = validated("attention_grid", weights, tokens)
    layers, heads, T, _ = weights.shape
    side = min(2.1, (PAGE_WIDTH - 1.5) / heads)  # inches of one map
    with plt.rc_context(SMALL):
        size = (PAGE_WIDTH, side * layers + 1.0)
        figure, axes = plt.subplots(
            layers,
            heads,
            figsize=size,
            sharex=True,
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        norm = PowerNorm(0.5, vmin=0, vmax=1)
        for layer in range(layers):
            for head, ax in enumerate(axes[layer]):
                shown = ax.imshow(
                    weights[layer, head].numpy(), cmap="Blues", norm=norm, interpolation="nearest"
                )
            axes[layer, 0].set_ylabel(f"layer {layer + 1}\nquery (position)")
        label_positions(axes[0, 0], T, 4)
        for head in range(heads):
            axes[0, head].set_title(f"head {head + 1}")
            axes[-1, head].set_xlabel("key (position)")
        figure.colorbar(shown, ax=axes, label=LABEL, aspect=30, pad=0.02)
        without_mathtext([figure.suptitle(title)])
    return figure


def shaded_text(weights: Tensor, tokens: Sequence[str], query: int) -> str:
    """The tokens as HTML, each shaded by its weight, weights (T,); the position of the query is
    framed.

    The darkest shade is the largest weight of these; pointing at a token tells its number.
    """
    top = max(weights.max().item(), 1e-12)
    spans = []
    for t, (token, w) in enumerate(zip(tokens, weights.tolist(), strict=True)):
        frame = f"; outline:2px solid {PALETTE[1]}; outline-offset:1px" if t == query else ""
        style = (
            f"background:rgba(86,180,233,{w / top:.3f}); "
            f"color:{'black' if t <= query or w > 0 else '#767676'}; padding:3px 1px{frame}"
        )
        # ↵, and a new line after it
        shown = token if token.isprintable() else visible(token) + "\n" * token.endswith("\n")
        spans.append(
            f"<span title='position {t + 1}: {w:.3f}' style='{style}'>{escape(shown)}</span>"
        )
    return f"<div style='{BOX}'>{''.join(spans)}</div>"


def strongest(weights: Tensor, tokens: Sequence[str], query: int) -> str:
    """The positions that the query looks at most, with their weights (T,), as HTML."""
    positions = weights.sort(descending=True, stable=True).indices[:STRONGEST].tolist()
    said = ", ".join(
        f"{quoted(tokens[t])} at {t + 1} ({weights[t]:.2f})" for t in positions if weights[t] > 0
    )
    return f"Position {query + 1}, {quoted(tokens[query])} (framed), looks most at {said}."


def quoted(token: str) -> str:
    """A token in words, as HTML."""
    return f"<code>{escape(visible(token))}</code>"


class MapFilm:
    """The picture of one map.

    Made once, since axes with many names take longer to make than to fill.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        T = len(tokens)
        with plt.rc_context(SMALL):
            self.figure = Figure(figsize=(6.2, 5.4), dpi=130, layout="constrained")
            self.ax = attention_map(
                torch.zeros(T, T, device="cpu"), tokens, 0, "Layer", self.figure.add_subplot()
            )
            self.figure.colorbar(self.ax.images[0], ax=self.ax, label=LABEL, shrink=0.9, pad=0.02)
        self.figure.draw_without_rendering()
        # the layout is found: keep it, which is faster and does not jump
        self.figure.set_layout_engine("none")

    def draw(self, weights: Tensor, query: int, title: str) -> bytes:
        """PNG bytes of the map of weights (T, T) with the row of `query` framed."""
        self.ax.images[0].set_data(weights.numpy())
        cast(Rectangle, self.ax.patches[0]).set_y(query - 0.5)
        self.ax.title.set_text(title)
        return figure_png(self.figure)


class AttentionViewer:
    """Lists for layer and head, a slider for the query, the map, and the text shaded by where the
    query looks.

    See `attention_viewer` for the arguments. In a notebook the last line of a cell displays it;
    where widgets cannot run the static grid is drawn instead. `chosen()` gives the weights (T, T)
    shown.
    """

    def __init__(self, weights: Tensor, tokens: Sequence[str]) -> None:
        self.weights, self.tokens = validated("attention_viewer", weights, tokens), tuple(tokens)
        self.box = None
        if notebook.widgets_can_run():
            self.build()

    def build(self) -> None:
        """Make the widgets, connect them, and draw the first picture: the last position's view, all
        heads together.
        """
        layers, heads, T, _ = self.weights.shape
        shape = {"style": {"description_width": "48px"}, "layout": ipywidgets.Layout(width="190px")}
        numbered = [(f"{head + 1} of {heads}", head) for head in range(heads)]
        self.layer = ipywidgets.Dropdown(
            options=[(f"{i + 1} of {layers}", i) for i in range(layers)],
            description="layer",
            **shape,
        )
        self.head = ipywidgets.Dropdown(
            options=[(MEAN, MEAN), *numbered], description="head", **shape
        )
        self.query = ipywidgets.IntSlider(
            value=T, min=1, max=T, description="query", layout=ipywidgets.Layout(width="380px")
        )
        self.query.style.description_width = "48px"
        self.film = MapFilm(self.tokens)
        self.text, self.words = ipywidgets.HTML(), ipywidgets.HTML()
        self.image = ipywidgets.Image(
            format="png",
            layout=ipywidgets.Layout(max_width="min(100%, 620px)", object_fit="contain"),
        )
        for control in (self.layer, self.head, self.query):
            control.observe(lambda change: self.redraw(), names="value")
        controls = ipywidgets.HBox(
            [self.layer, self.head, self.query], layout=ipywidgets.Layout(flex_flow="row wrap")
        )
        self.box = ipywidgets.VBox([controls, self.words, self.text, self.image])
        self.redraw()

    def chosen(self) -> Tensor:
        """The weights (T, T) of the layer and head chosen, or the mean over the heads."""
        layer = self.weights[self.layer.value]
        return layer.mean(0) if self.head.value == MEAN else layer[self.head.value]

    def redraw(self) -> None:
        """Draw the text and the map."""
        query, weights = self.query.value - 1, self.chosen()
        self.text.value, self.words.value = (
            shaded_text(weights[query], self.tokens, query),
            strongest(weights[query], self.tokens, query),
        )
        which = MEAN if self.head.value == MEAN else f"head {self.head.value + 1}"
        self.image.value = self.film.draw(
            weights, query, f"Layer {self.layer.value + 1}, {which}: where each position looks"
        )

    def _ipython_display_(self) -> None:
        notebook.display_widget_or_figure(
            self.box, lambda: attention_grid(self.weights, self.tokens)
        )


def validated(where: str, weights: Tensor, tokens: Sequence[str]) -> Tensor:
    """The weights on the CPU; raise unless they and the tokens are what `attention_viewer` says."""
    require_tensor(where, "weights", weights)
    if weights.ndim != 4 or weights.shape[2] != weights.shape[3] or weights.numel() == 0:
        hint = (
            "Select one sequence: weights[:, 0]."
            if weights.ndim == 5
            else "GPT.attention_maps(idx)[:, 0] gives such a tensor."
        )
        raise InputError(
            f"{where}: weights should have shape (layers, heads, T, T), got "
            f"{tuple(weights.shape)}. {hint}"
        )
    if not all(isinstance(token, str) for token in tokens):
        raise InputTypeError(
            f"{where}: tokens should be strings, got {describe(tokens)}. Decode them: "
            "[text.vocabulary[i] for i in idx]."
        )
    if len(tokens) != weights.shape[-1]:
        raise InputError(
            f"{where}: tokens should be T = {weights.shape[-1]} strings, got {len(tokens)}. Pass "
            "the text that the weights are of."
        )
    weights = weights.detach().cpu().float()
    if not (weights >= 0).all() or not ((weights.sum(-1) - 1).abs() <= 0.02).all():
        raise InputError(
            f"{where}: weights should be at least 0 with rows that sum to 1, got others. Pass "
            "them after the softmax."
        )
    return weights


def attention_viewer(weights: Tensor, tokens: Sequence[str]) -> AttentionViewer:
    """See where each position of a text looks: the map of any layer and head, and the text shaded
    for one query.

    weights (layers, heads, T, T) of one sequence, rows sum to 1: GPT.attention_maps(idx)[:, 0];
    tokens: its T strings.
    """
    return AttentionViewer(weights, tokens)
