"""A diffusion model: a network, a path, and what the network is asked for."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gencourse.errors import InputError, describe
from gencourse.models.diffusion.conversions import convert
from gencourse.models.diffusion.guidance import guided
from gencourse.models.diffusion.losses import squared_error, uniform_times
from gencourse.models.diffusion.networks import preconditioning
from gencourse.models.diffusion.paths import Level, Path, as_time, linear, per_row
from gencourse.models.diffusion.samplers import ddim
from gencourse.models.diffusion.times import even_times
from gencourse.runtime import seeded
from gencourse.validation import require_count, require_place

PREDICTS = ("x", "eps", "v", "u", "preconditioned")


class DiffusionModel(nn.Module):
    """A network F(x_t, t) on a path, trained by |F - target|², summed over dimensions.

    predict: what F says: "x", "eps", "v", "u" (the velocity: on the linear path this is flow
    matching), or "preconditioned", EDM's F with x̂ = skip x_t + out F(inside x_t, t) and data of
    deviation sigma_data. draw_times(n) -> (n,) draws the times of the loss. `shape` is that of one
    example. Where the network takes labels, F(x_t, t, y), `num_classes` is theirs, and `drop` the
    share of examples whose label is hidden in training. denoise, noise, score, velocity take x_t
    (B, *shape) and t, a number or (B,), as those of ExactDiffusion do.
    """

    def __init__(
        self,
        network: nn.Module,
        path: Path | None = None,
        predict: str = "u",
        draw_times: Callable[[int], Tensor] = uniform_times,
        shape: tuple[int, ...] = (2,),
        sigma_data: float = 1.0,
        num_classes: int = 0,
        drop: float = 0.1,
    ) -> None:
        super().__init__()
        if predict not in PREDICTS:
            raise InputError(
                f"DiffusionModel: predict should be one of {', '.join(PREDICTS)}, got {predict!r}. "
                "Choose one of them."
            )
        self.network, self.path, self.predict = network, path or linear(), predict
        self.draw_times, self.shape, self.sigma_data = draw_times, tuple(shape), sigma_data
        self.num_classes, self.drop = num_classes, drop

    def output(self, x_t: Tensor, t: Level, y: Tensor | None = None) -> Tensor:
        """F(x_t, t), or F(inside x_t, t) if preconditioned: (B, *shape)."""
        require_place("DiffusionModel", "x_t", x_t, self)
        t = as_time(t).to(x_t).expand(len(x_t))
        if self.predict == "preconditioned":
            inside = preconditioning(*self.path.levels(t), self.sigma_data).inside
            x_t = per_row("DiffusionModel", "t", inside, x_t) * x_t
        return self.network(x_t, t) if y is None else self.network(x_t, t, y)

    def loss(
        self,
        x: Tensor,
        y: Tensor | None = None,
        *,
        t: Tensor | None = None,
        eps: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """{"loss"}: |F - target|², (B,), a squared error summed over dimensions and no likelihood.

        x (B, *shape), labels y (B,), of which a share `drop` is hidden; t (B,) and eps like x are
        drawn from torch's global generator if not given.
        """
        if x.shape[1:] != self.shape:
            raise InputError(
                f"DiffusionModel.loss: x should have shape (B, {', '.join(map(str, self.shape))}), "
                f"got {describe(x)}. Give the model the shape of one example."
            )
        t = (self.draw_times(len(x)) if t is None else t).to(x)
        eps = torch.randn_like(x) if eps is None else eps
        if y is not None and self.num_classes:
            hidden = torch.rand(len(x), device=x.device) < self.drop
            y = y.masked_fill(hidden, self.num_classes)
        x_t = self.path.perturb(x, eps, t)
        return {"loss": squared_error(self.output(x_t, t, y), self.target(x, eps, x_t, t))}

    def target(self, x: Tensor, eps: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """What F should say of the pair (x, ε): (B, *shape)."""
        if self.predict == "preconditioned":
            skip, out, _ = preconditioning(*self.path.levels(t), self.sigma_data)
            skip, out = (per_row("DiffusionModel", "t", each, x) for each in (skip, out))
            return (x - skip * x_t) / out
        alpha, sigma = (per_row("DiffusionModel", "t", v, x) for v in self.path.levels(t))
        targets = {
            "x": lambda: x,
            "eps": lambda: eps,
            "v": lambda: alpha * eps - sigma * x,
            "u": lambda: self.path.velocity(x, eps, t),
        }
        return targets[self.predict]()

    def ask(
        self, kind: str, x_t: Tensor, t: Level, y: Tensor | None = None, w: float = 1.0
    ) -> Tensor:
        """x̂, ε̂, v, u or the score, by name (see KINDS), from what the network says: (B, *shape).

        With labels y and w other than 1 it is guided: w = 1 is the model given y.
        """
        F = self.output(x_t, t, y)
        if y is not None and w != 1:
            F = guided(F, self.output(x_t, t), w)
        t = as_time(t)
        t = t.to(x_t) if t.ndim else t
        source = self.predict
        if source == "preconditioned":
            skip, out, _ = preconditioning(*self.path.levels(t), self.sigma_data)
            skip, out = (per_row("DiffusionModel", "t", each, x_t) for each in (skip, out))
            F, source = skip * x_t + out * F, "x"
        return convert(F, source, kind, x_t, self.path, t)

    def denoise(self, x_t: Tensor, t: Level, y: Tensor | None = None, w: float = 1.0) -> Tensor:
        """x̂(x_t, t), an estimate of E[x given x_t] (and y): (B, *shape)."""
        return self.ask("x", x_t, t, y, w)

    def noise(self, x_t: Tensor, t: Level, y: Tensor | None = None, w: float = 1.0) -> Tensor:
        """ε̂(x_t, t), an estimate of E[ε given x_t]: (B, *shape)."""
        return self.ask("eps", x_t, t, y, w)

    def score(self, x_t: Tensor, t: Level, y: Tensor | None = None, w: float = 1.0) -> Tensor:
        """An estimate of ∇ log p_t(x_t): (B, *shape), for t > 0."""
        return self.ask("score", x_t, t, y, w)

    def velocity(self, x_t: Tensor, t: Level, y: Tensor | None = None, w: float = 1.0) -> Tensor:
        """u(x_t, t), an estimate of E[dx_t/dt given x_t]: (B, *shape)."""
        return self.ask("u", x_t, t, y, w)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        steps: int = 50,
        seed: int = 0,
        y: Tensor | None = None,
        w: float = 1.0,
        times: Tensor | None = None,
    ) -> Tensor:
        """n draws (n, *shape), without gradients, by DDIM's steps from σ(1) ε down: `steps` of
        equal length in t, or along the times (steps + 1,) given. Labels y (n,) and guidance w as in
        `ask`.
        """
        require_count("DiffusionModel.sample", "n", n)
        own = next(self.parameters())
        times = even_times(steps) if times is None else times
        eps = torch.randn(n, *self.shape, generator=seeded(seed), device="cpu").to(own)
        labels = None if y is None else y.to(own.device)
        start = self.path.levels(times[0])[1] * eps
        return ddim(lambda x, t: self.denoise(x, t, labels, w), start, self.path, times)
