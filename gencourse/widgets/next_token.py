"""The distribution of the next token as bars: the model's own, and what temperature, top-k and
top-p leave of it.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation
from torch import Tensor

from gencourse.errors import InputError
from gencourse.evaluation import bits_per_dim
from gencourse.figures import PAGE_WIDTH, PALETTE, SMALL, panels
from gencourse.models.autoregressive import filtered_probs, temperature_probs
from gencourse.validation import require_count, require_tensor
from gencourse.widgets.drawing import drawable, without_mathtext

SETTINGS: dict[str, dict[str, Any]] = {  # the panels of the static form
    "plain": {},
    "T = 0.5": {"T": 0.5},
    "T = 1.5": {"T": 1.5},
    "top-k = 5": {"top_k": 5},
    "top-p = 0.8": {"top_p": 0.8},
}


def entropy(p: Tensor) -> float:
    """H = -Σ p log p of probabilities (V,), nats."""
    return max(0.0, torch.special.entr(p).sum().item())


def nats_and_bits(nats: float) -> str:
    """An entropy in words: nats, and bits = nats / log 2."""
    return f"{nats:.2f} nats = {bits_per_dim(nats, dims=1):.2f} bits"


def token_bars(
    own: Tensor, left: Tensor, vocabulary: Sequence[str], most: int = 20, ax: Axes | None = None
) -> Axes:
    """The `most` likely next tokens, the likeliest on top.

    Outlines are the model's own probabilities `own` (V,), filled bars what is `left` (V,) of them
    after temperature, top-k and top-p; × marks tokens that can no longer be drawn.
    """
    if ax is None:
        _, ax = panels(height=0.8 + 0.2 * most)
    shown = own.sort(descending=True, stable=True).indices[:most]
    own, left, shown = (part.detach().cpu() for part in (own, left, shown))
    rows, cut = np.arange(len(shown)), (left[shown] == 0).numpy()
    ax.barh(rows, left[shown].numpy(), height=0.5, color=PALETTE[5], label="left")
    ax.barh(
        rows,
        own[shown].numpy(),
        height=0.8,
        facecolor="none",
        edgecolor="black",
        linewidth=0.9,
        label="own",
    )
    # 7 points to the right of a bar's end
    beside = ax.transData + ScaledTranslation(7 / 72, 0, ax.figure.dpi_scale_trans)
    ax.plot(
        own[shown].numpy()[cut],
        rows[cut],
        "x",
        ms=5,
        mew=1.4,
        color=PALETTE[1],
        transform=beside,
        label="cut",
    )
    ax.set_yticks(
        rows, [drawable(vocabulary[i]) for i in shown.tolist()], size=9.5, family="monospace"
    )
    without_mathtext(ax.get_yticklabels())
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color="0.85", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set(
        xlabel="probability",
        xlim=(0, 1.06 * max(own.max().item(), left.max().item())),
        ylim=(len(shown) - 0.4, -0.6),
    )
    return ax


def sampling_strip(
    logits: Tensor,
    vocabulary: Sequence[str],
    settings: Mapping[str, Mapping] = SETTINGS,
    most: int = 15,
    title: str = "What temperature, top-k and top-p leave of the next token's distribution",
) -> Figure:
    """The static sampling explorer: one panel for each of `settings`, a name -> {"T": .., "top_k":
    .., "top_p": ..}.

    logits (V,) for the next token, vocabulary V strings. The panels share their tokens, the `most`
    likely, and the scale.
    """
    require_logits("sampling_strip", logits, vocabulary)
    require_count("sampling_strip", "most", most)
    if not settings:
        raise InputError(
            "sampling_strip: settings should hold at least one setting, got none. Leave it out "
            "for the usual five."
        )
    logits = logits.detach().float().cpu()
    own, rows = temperature_probs(logits), min(most, len(vocabulary))
    lefts = {name: filtered_probs(logits, **how) for name, how in settings.items()}
    with plt.rc_context(SMALL):
        size = (PAGE_WIDTH, 1.5 + 0.19 * rows)
        figure, axes = plt.subplots(
            1, len(settings), figsize=size, sharex=True, squeeze=False, layout="constrained"
        )
        for ax, (name, left) in zip(axes[0], lefts.items(), strict=True):
            token_bars(own, left, vocabulary, most, ax)
            nats, bits = nats_and_bits(entropy(left)).split(" = ")
            ax.set_title(f"{name}\n{nats}\n{bits}")
            if ax is not axes[0, 0]:
                ax.set_yticklabels([])
        axes[0, 0].set_xlim(0, 1.06 * max(p.max().item() for p in (own, *lefts.values())))
        axes[0, 0].set_ylabel(f"next token, the {rows} likeliest of {len(vocabulary)}")
        without_mathtext(
            [
                figure.suptitle(
                    f"{title}\noutline: the model's own; filled: what is left; ×: cannot be "
                    "drawn; above: entropy",
                    fontsize="medium",
                )
            ]
        )
    return figure


def require_logits(
    where: str, logits: Tensor, vocabulary: Sequence[str], name: str = "logits"
) -> None:
    """Raise unless `logits` is a tensor (V,) without NaN, V the size of the vocabulary."""
    require_tensor(where, name, logits)
    if logits.shape != (len(vocabulary),):
        raise InputError(
            f"{where}: {name} should have shape (V,) = ({len(vocabulary)},), one number per "
            f"token, got {tuple(logits.shape)}. Select the last position of one sequence: "
            "logits[0, -1]."
        )
    if logits.isnan().any():
        raise InputError(
            f"{where}: {name} should hold numbers, got NaN. Look at the model: its training may "
            "have failed."
        )


def settings_words(T: float, top_k: int | None, top_p: float | None) -> str:
    """The settings in the order in which they act."""
    named = {"T": T, "top-k": top_k, "top-p": top_p}
    return ", ".join(f"{name} = {value:g}" for name, value in named.items() if value is not None)


def page_html(prompt: str, written: str, how: str) -> str:
    """The prompt (grey) and what the model wrote after it, as HTML."""
    shown = prompt if len(prompt) <= 300 else "…" + prompt[-300:]
    style = (
        "white-space:pre-wrap; word-break:normal; overflow-wrap:anywhere; border-left:3px solid "
        "#999; padding:2px 10px; margin:4px 0; line-height:1.35"
    )
    text = f"<span style='color:#767676'>{escape(shown)}</span>{escape(written)}"
    return (
        f"<div>written with {escape(how)}, the prompt in grey:</div><pre "
        f"style='{style}'>{text}</pre>"
    )
