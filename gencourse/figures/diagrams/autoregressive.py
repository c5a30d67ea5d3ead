"""The schematics of the chapter on autoregressive models."""

import itertools
from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from torch import Tensor

from gencourse.errors import InputError
from gencourse.figures.diagrams import kit
from gencourse.figures.style import INK, PAGE_WIDTH


def chain(ax: Axes, *nodes: kit.Node) -> None:
    """Arrows from each node to the next."""
    for start, end in itertools.pairwise(nodes):
        kit.arrow(ax, start, end)


def gpt_block(ax: Axes | None = None) -> Axes:
    """A block of a GPT: attention and an MLP each read the residual stream and add to it."""
    ax = kit.canvas(9.0, 2.6, "A block of the GPT", ax)
    x, first, second, out = (
        kit.circle(ax, 0.5, 0.6, "$x$"),
        kit.circle(ax, 4.1, 0.6, "+", radius=0.17),
        kit.circle(ax, 7.7, 0.6, "+", radius=0.17),
        kit.circle(ax, 8.6, 0.6, "$x'$"),
    )
    chain(ax, x, first, second, out)
    for left, name, words in (
        (1.3, "attention", "between positions"),
        (4.9, "MLP", "each position alone"),
    ):
        norm, part = kit.box(ax, left + 0.65, 1.7, "norm", 0.9), kit.box(ax, left + 2.0, 1.7, name)
        kit.path_arrow(ax, [(left - 0.15, 0.6), (left - 0.15, 1.7), (left + 0.18, 1.7)])
        kit.arrow(ax, norm, part)
        kit.path_arrow(ax, [(left + 2.55, 1.7), (left + 2.8, 1.7), (left + 2.8, 0.79)])
        kit.label(ax, left + 2.0, 2.2, words, size=9)
    kit.label(ax, 2.5, 0.35, "residual stream", size=9)
    return ax


def query_key_value(ax: Axes | None = None) -> Axes:
    """Attention at position t: its query is compared with the keys of all positions up to t, and
    the values are averaged with the weights that come out. Later positions do not take part.
    """
    ax = kit.canvas(9.0, 4.1, "Attention at one position", ax)
    rows = {"1": 2.95, "2": 2.25, "t": 1.45, "t+1": 0.55}
    kit.box(ax, 5.2, 2.2, "softmax\nover $s$", 1.0, 2.1)
    total = kit.circle(ax, 8.4, 2.2, r"$\Sigma$")
    query = kit.box(ax, 3.5, 3.78, r"$q_t = W_q x_t$", 1.4, 0.46)
    scores = kit.frame(ax, 2.7, 1.1, 1.6, 2.2)
    kit.arrow(ax, query, scores)
    for name, y in rows.items():
        later = name == "t+1"
        x = kit.circle(ax, 0.5, y, f"$x_{{{name}}}$", kind="observed")
        key = kit.box(ax, 1.7, y, f"$k_{{{name}}}$", 0.7, 0.46)
        score = kit.box(
            ax, 3.5, y, f"$q_t \\cdot k_{{{name}}} / \\sqrt{{d}}$", 1.35, 0.5, "plain", later
        )
        chain(ax, x, key, score)
        if later:
            kit.arrow(ax, score, kit.stop(ax, 4.75, y), dashed=True, color=kit.GRADIENT)
            kit.label(ax, 5.05, y, "masked: it comes after $t$, its weight is 0", ha="left")
            continue
        weight = kit.circle(ax, 6.3, y, f"$w_{{{name}}}$", radius=0.25)
        value = kit.box(ax, 7.3, y, rf"$\times\, v_{{{name}}}$", 0.8, 0.46)
        kit.path_arrow(ax, [(4.2, y), (4.68, y)])
        kit.path_arrow(ax, [(5.72, y), (6.04, y)])
        chain(ax, weight, value, total)
    kit.label(ax, 7.1, 3.7, "$k_s = W_k x_s, \\quad v_s = W_v x_s$")
    kit.label(ax, 1.1, 1.85, r"$\vdots$", size=12)
    return ax


def pixelcnn_stacks(ax: Axes | None = None) -> Axes:
    """A layer of the gated PixelCNN: the vertical stack v sees the rows above, the horizontal stack
    h its own row to the left; v is added to h, and never h to v.
    """
    ax = kit.canvas(9.0, 3.6, "The two stacks of a gated layer", ax)
    up, low = 2.6, 1.0
    v, h = kit.circle(ax, 0.5, up, "$v$"), kit.circle(ax, 0.5, low, "$h$")
    above = kit.box(ax, 2.1, up, "convolution over\nrows above", 1.6, 0.7)
    beside = kit.box(ax, 2.1, low, "convolution over\npixels to the left", 1.6, 0.7)
    across = kit.box(ax, 3.8, 1.8, "1 × 1", 0.7, 0.4)
    both = kit.circle(ax, 3.8, low, "+", radius=0.17)
    gates = [kit.box(ax, 5.1, y, "tanh × σ", 1.0, 0.5, "loss") for y in (up, low)]
    mix = kit.box(ax, 6.3, low, "1 × 1", 0.7, 0.4)
    sums = [kit.circle(ax, 7.3, y, "+", radius=0.17) for y in (up, low)]
    ends = [kit.circle(ax, 8.4, y, text) for y, text in ((up, "$v'$"), (low, "$h'$"))]
    chain(ax, v, above, gates[0], sums[0], ends[0])
    chain(ax, h, beside, both, gates[1], mix, sums[1], ends[1])
    kit.path_arrow(ax, [(3.8, up), (3.8, 2.02)])
    kit.arrow(ax, across, both)
    kit.path_arrow(ax, [(0.5, up + 0.3), (0.5, up + 0.65), (7.3, up + 0.65), (7.3, up + 0.19)])
    kit.path_arrow(ax, [(0.5, low - 0.3), (0.5, low - 0.65), (7.3, low - 0.65), (7.3, low - 0.19)])
    kit.label(ax, 5.0, up + 0.8, "vertical stack", size=9)
    kit.label(ax, 5.0, low - 0.8, "horizontal stack", size=9)
    return ax


def made_network(
    masks: Sequence[Tensor], output: int | None = None, ax: Axes | None = None
) -> Axes:
    """The connections that MADE's masks keep, from pixels on the left to outputs on the right;
    those on a path to one output are drawn dark, and the pixels that it sees are shaded. In each
    hidden unit stands how many pixels it sees.

    masks: for each layer 0/1 (units out, units in), from the pixels on; output counts from 0, the
    last but one if not given.
    """
    sizes = [masks[0].shape[1], *(mask.shape[0] for mask in masks)] if len(masks) else [0]
    if any(mask.shape[1] != size for mask, size in zip(masks, sizes, strict=False)) or sizes == [0]:
        raise InputError(
            "made_network: masks should be of layers that follow one another, (units out, units "
            f"in) each, got {[tuple(mask.shape) for mask in masks]}. Begin with the pixels."
        )
    output = max(0, sizes[-1] - 2) if output is None else output
    if not 0 <= output < sizes[-1]:
        raise InputError(
            f"made_network: output should lie in 0..{sizes[-1] - 1}, got {output}. Choose one."
        )
    step = min(2.4, (PAGE_WIDTH - 1) / len(masks))
    height = 0.55 * max(sizes) + 0.5
    ax = kit.canvas(step * len(masks) + 1, height, "MADE's masks", ax)
    places = [
        [(0.5 + step * layer, height / 2 + 0.55 * ((n - 1) / 2 - i)) for i in range(n)]
        for layer, n in enumerate(sizes)
    ]
    kept = [mask.detach().cpu() != 0 for mask in masks]
    reached = [torch.arange(sizes[-1], device="cpu") == output]  # units with a path to it
    for mask in reversed(kept):
        reached.insert(0, (mask & reached[0][:, None]).any(0))
    seen = [torch.eye(sizes[0], device="cpu")]  # by each unit: 1 for a pixel with a path to it
    for mask in kept:
        seen.append((mask.float() @ seen[-1]).clamp(max=1))
    for mask, (before, after), ends in zip(
        kept, itertools.pairwise(places), reached[1:], strict=True
    ):
        for dark, color, wide in ((False, "#C4C4C4", 0.7), (True, INK, 1.2)):
            pairs = mask.nonzero().tolist()
            lines = [(before[i], after[o]) for o, i in pairs if bool(ends[o]) == dark]
            ax.add_collection(LineCollection(lines, colors=color, linewidths=wide, zorder=1 + dark))
    for layer, points in enumerate(places):
        for i, (x, y) in enumerate(points):
            pixel, last = layer == 0, layer == len(masks)
            kind = "observed" if pixel and reached[0][i] else "network" if not pixel else "plain"
            hidden = f"{int(seen[layer][i].sum())}"
            name = f"$x_{{{i}}}$" if pixel else f"$p_{{{i}}}$" if last else hidden
            kit.circle(ax, x, y, name, radius=0.2, kind="loss" if last and i == output else kind)
    return ax
