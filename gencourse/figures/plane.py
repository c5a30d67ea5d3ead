"""Points and functions in the plane."""

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from torch import Tensor

from gencourse.errors import InputError, InputTypeError, describe
from gencourse.figures.style import MARKERS, PALETTE, drawable, panels
from gencourse.validation import require_same_shape, require_tensor

NUMERAL_SIZE = 22
BELIEF = LinearSegmentedColormap.from_list(  # from "a sample" over "cannot tell" to "data"
    "belief", ["#F0A070", "#FBE6D8", "#FFFFFF", "#D9E8F4", "#78B0DA"]
)


def latent_scatter(
    z: Tensor, labels: Tensor, title: str = "", limit: int = 2000, ax: Axes | None = None
) -> Axes:
    """Codes (N, 2) as points; a class has a colour of its own, and is drawn as its number up to 9,
    else as a marker.
    """
    require_tensor("latent_scatter", "z", z)
    if z.ndim != 2 or z.shape[1] != 2:
        raise InputError(
            f"latent_scatter: z should have shape (N, 2), got {tuple(z.shape)}. Choose two "
            "dimensions: z[:, :2]."
        )
    labels = whole_labels(labels, len(z))
    if ax is None:
        _, ax = panels(height=5)
    z, labels = z.detach().cpu()[:limit], labels.cpu()[:limit]
    classes = labels.unique().tolist()
    for i in classes:
        x, y = z[labels == i].T.numpy()
        ax.scatter(
            x,
            y,
            s=NUMERAL_SIZE if i < 10 else 14,
            color=PALETTE[i % 10],
            marker=f"${i}$" if i < 10 else MARKERS[i % 10],
            alpha=0.8,
            linewidths=0,
            label=str(i),
        )
    ax.set(xlabel="z₁", ylabel="z₂", title=drawable(title))
    # A square panel, as that of image_map: equal limits then fit it as they are. In a wider one
    # matplotlib would change them, and say so in red.
    ax.set_box_aspect(1)
    ax.set_aspect("equal", adjustable="datalim")
    if any(i > 9 for i in classes):
        ax.legend(handletextpad=0, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def whole_labels(labels: Tensor, n: int) -> Tensor:
    """Labels (n,) as whole numbers on the CPU; raises unless they are that."""
    require_tensor("latent_scatter", "labels", labels)
    if labels.shape != (n,):
        raise InputError(
            f"latent_scatter: labels should have shape ({n},), one for each code, got "
            f"{tuple(labels.shape)}. One-hot vectors become labels by argmax(1)."
        )
    labels = labels.detach().cpu()
    if labels.is_complex() or not torch.equal(labels, labels.long().to(labels.dtype)):
        raise InputTypeError(
            f"latent_scatter: labels should be whole numbers, got {describe(labels)} such as "
            f"{labels.flatten()[0]}. Use classes, or round them: labels.round()."
        )
    return labels.long()


def require_points(where: str, name: str, x: Tensor) -> None:
    """Raise unless x is a tensor (N, 2)."""
    require_tensor(where, name, x)
    if x.ndim != 2 or x.shape[1] != 2:
        raise InputError(
            f"{where}: {name} should have shape (N, 2), got {tuple(x.shape)}. Choose two "
            "dimensions: x[:, :2]."
        )


def square_plane(ax: Axes, title: str, limit: float) -> None:
    """Title, labels and equal scales of [-limit, limit]²."""
    ax.set(xlabel="x₁", ylabel="x₂", title=drawable(title), aspect="equal")
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit))


def point_clouds(
    clouds: Mapping[str, Tensor],
    title: str,
    limit: float = 3.0,
    max_points: int = 1500,
    ax: Axes | None = None,
) -> Axes:
    """Several sets of points (N, 2) in the plane, each with a colour and a marker of its own; the
    last lies on top.
    """
    for name, x in clouds.items():
        require_points("point_clouds", repr(name), x)
    if ax is None:
        _, ax = panels(height=3.8)
    for i, (name, x) in enumerate(clouds.items()):
        x1, x2 = x.detach().cpu()[:max_points].T.numpy()
        ax.scatter(
            x1,
            x2,
            s=9,
            color=PALETTE[i % 10],
            marker=MARKERS[i % 10],
            alpha=0.5,
            linewidths=0,
            label=drawable(name),
        )
    square_plane(ax, title, limit)
    if len(clouds) > 1:
        ax.legend(loc="upper right", markerscale=1.6)
    return ax


def plane_grid(limit: float = 3.0, n: int = 61) -> tuple[Tensor, float]:
    """A square grid over [-limit, limit]² as rows (n · n, 2), and the area of one of its cells."""
    line = torch.linspace(-limit, limit, n, device="cpu")
    x2, x1 = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x1, x2], -1).flatten(0, 1), (2 * limit / (n - 1)) ** 2


def heatmap(
    values: Tensor,
    title: str,
    limit: float = 3.0,
    vmin: float = 0.0,
    vmax: float = 1.0,
    label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Values (n · n,) on `plane_grid(limit, n)` as a map with a colour bar, orange below the middle
    and blue above it; the ½ contour is drawn where values are probabilities.
    """
    if ax is None:
        _, ax = panels(height=3.8)
    require_tensor("heatmap", "values", values)
    n = round(values.numel() ** 0.5)
    if not n or n * n != values.numel():
        raise InputError(
            f"heatmap: values should be n · n numbers on plane_grid(limit, n), got "
            f"{describe(values)}. Evaluate all of the grid."
        )
    picture = values.detach().cpu().view(n, n).numpy()
    drawn = ax.imshow(
        picture,
        origin="lower",
        extent=(-limit, limit, -limit, limit),
        cmap=BELIEF,
        vmin=vmin,
        vmax=vmax,
    )
    if (vmin, vmax) == (0.0, 1.0) and picture.min() < 0.5 < picture.max():
        ax.contour(
            picture,
            levels=[0.5],
            colors="black",
            linewidths=1,
            extent=(-limit, limit, -limit, limit),
        )
    ax.spines[:].set_visible(True)
    ax.figure.colorbar(drawn, ax=ax, label=drawable(label), fraction=0.046, pad=0.04)
    ax.set(xlabel="x₁", ylabel="x₂", title=drawable(title))
    return ax


def vector_field(
    x: Tensor,
    v: Tensor,
    title: str,
    limit: float = 3.0,
    longest: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Arrows v (N, 2) at points x (N, 2) of [-limit, limit]².

    With `longest` an arrow of length |v| is drawn with the length longest · |v| / (1 + |v|), so
    that large and small ones can be seen together; without it v is drawn in the axes' own units.
    """
    require_same_shape("vector_field", x=x, v=v)
    require_points("vector_field", "x", x)
    if ax is None:
        _, ax = panels(height=3.8)
    x, v = x.detach().cpu(), v.detach().cpu()
    if longest is not None:
        v = longest * v / (1 + torch.linalg.vector_norm(v, dim=1, keepdim=True))
    (x1, x2), (v1, v2) = x.T.numpy(), v.T.numpy()
    own: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1}
    ax.quiver(x1, x2, v1, v2, color=PALETTE[0], width=0.006, **own)
    square_plane(ax, title, limit)
    return ax


def trajectories(
    times: Tensor, x: Tensor, title: str, ylabel: str = "x_t", ax: Axes | None = None
) -> Axes:
    """Points on a line over time: times (n,) and where each of N points is at them, x (n, N) or
    (n, N, 1). Data at t = 0 are on the left.
    """
    require_tensor("trajectories", "x", x)
    x = x.squeeze(2) if x.ndim == 3 and x.shape[2] == 1 else x
    if x.ndim != 2 or len(x) != len(times):
        raise InputError(
            f"trajectories: x should have shape ({len(times)}, N), a row for each time, got "
            f"{tuple(x.shape)}. Keep all states: keep=True."
        )
    if ax is None:
        _, ax = panels()
    ax.plot(times.detach().cpu().numpy(), x.detach().cpu().numpy(), color=PALETTE[0], lw=0.7)
    ax.set(xlabel="time t (0: data, 1: noise)", ylabel=drawable(ylabel), title=drawable(title))
    return ax
