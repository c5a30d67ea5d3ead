"""The denoising film: noisy images on their way to data, and what the network takes them for."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from matplotlib.figure import Figure
from torch import Tensor

from gencourse.errors import InputError, describe
from gencourse.figures import image_rows
from gencourse.models.diffusion import ImageDiffusion, ddim_step, even_times, uncentred
from gencourse.models.diffusion.samplers import rows
from gencourse.runtime import standard_normal
from gencourse.widgets.film import Film
from gencourse.widgets.notebook import grid_png

SHOWN = (0.0, 0.3, 0.5, 0.7, 0.85)  # shares of the way, in the strip


class Frame(NamedTuple):
    """One moment: the time t, the noisy images x_t and the guesses x̂ of the images under the noise,
    both (n, C, H, W) in [0, 1], as one can draw them.
    """

    t: float
    noisy: Tensor
    guess: Tensor


def denoising_frames(
    model: ImageDiffusion, labels: Tensor | None, n: int, steps: int, w: float, seed: int
) -> list[Frame]:
    """n images at each time of so many DDIM steps, from noise to data, on the CPU."""
    inner, times = model.averaged, even_times(steps)
    x = standard_normal(n, *inner.shape, seed=seed).to(next(inner.parameters()))
    y = None if labels is None else labels.to(x.device)
    frames = []
    with torch.no_grad():
        for t, s in itertools.pairwise(times):
            guess = inner.denoise(x, rows(t, x), y, w)
            pair = (uncentred(each).float().cpu() for each in (x, guess))
            frames.append(Frame(t.item(), *pair))
            x = ddim_step(x, guess, inner.path.levels(t), inner.path.levels(s))
    last = uncentred(x).float().cpu()
    return [*frames, Frame(0.0, last, last)]


def denoising_strip(frames: Sequence[Frame]) -> Figure:
    """The static film: for five moments a row of noisy images and one of the guesses, and at the
    end the images.
    """
    pictures = {}
    for share in SHOWN:
        frame = frames[round(share * (len(frames) - 1))]
        pictures[f"$x_t$, t = {frame.t:.2g}"] = frame.noisy
        pictures[f"guess at t = {frame.t:.2g}"] = frame.guess
    pictures["the images"] = frames[-1].guess
    axes = image_rows(pictures, title="From noise to images", scale=0.55)
    return cast(Figure, axes[0].figure)


class DenoisingFilm(Film):
    """A slider over the way from noise to images, a Play button, the noisy images, and below them
    what the network takes them for.

    See `denoising_film`. `show(i)` are the pictures of moment i, `caption(i)` are the words
    beside them.
    """

    def __init__(self, frames: Sequence[Frame], zoom: int = 2) -> None:
        self.frames, self.zoom = list(frames), zoom
        self.open(len(self.frames) - 1, first=0, interval=200)

    def caption(self, i: int) -> str:
        """Where on the way moment i is, in words."""
        return f"t = {self.frames[i].t:.2f}; above x_t, below the guess of what is under the noise"

    def show(self, i: int) -> bytes:
        """The images of moment i as PNG bytes."""
        frame = self.frames[i]
        both = torch.cat([frame.noisy, frame.guess])
        return grid_png(both, len(frame.noisy), self.zoom)

    def moment(self, i: int) -> tuple[str, bytes]:
        """The words and the pictures of moment i."""
        return self.caption(i), self.show(i)

    def strip(self) -> Figure:
        """The static film."""
        return denoising_strip(self.frames)


def denoising_film(
    model: ImageDiffusion,
    labels: Tensor | None = None,
    n: int = 10,
    steps: int = 25,
    w: float = 1.0,
    seed: int = 0,
) -> DenoisingFilm:
    """Look through the way from noise to n images of a diffusion model of images, in so many DDIM
    steps; for labels (n,), guided by w, if its network takes any.
    """
    if labels is not None and labels.shape != (n,):
        raise InputError(
            f"denoising_film: labels should have shape ({n},), got {describe(labels)}. One label "
            "for each image."
        )
    return DenoisingFilm(denoising_frames(model, labels, n, steps, w, seed))
