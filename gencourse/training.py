"""The one loop that trains every model of the course, yours as well, and the contract that it asks of a model.

A model is an nn.Module with `loss(*batch) -> {"loss": (B,), ...}`: one value per example, in nats, to be minimised;
further terms are recorded. A model that brings its own optimizer, or that is a game of several players, has
`players(lr)` besides (see Player).
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from gencourse.errors import InputError, InputTypeError, TrainingStopped, describe
from gencourse.runtime import autocast
from gencourse.validation import require_count


@dataclass
class Player:
    """One side of a game: at every step `loss(*batch)` is evaluated and `optimizer` makes one step on its mean.

    Players move in the order given, each on the same batch; a player's gradients are cleared before its own move.
    """

    name: str
    optimizer: "torch.optim.Optimizer | Joint"
    loss: Callable[..., dict[str, Tensor]]


@dataclass
class History:
    """What `fit` recorded: for each term the batch mean at every step. `history["loss"]` is a list of numbers."""

    values: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    interrupted: bool = False

    def __getitem__(self, term: str) -> list[float]:
        if term not in self.values:
            raise InputError(f"History: term should be one of {', '.join(self.values)}, got {term!r}. Choose one of them.")
        return self.values[term]

    @property
    def steps(self) -> int:
        """The number of steps recorded."""
        return max(map(len, self.values.values()), default=0)

    def last(self, term: str = "loss", steps: int = 100) -> float:
        """The mean of a term over the last steps: one batch is too noisy to quote."""
        tail = self[term][-steps:]
        return sum(tail) / len(tail)

    def __repr__(self) -> str:
        terms = ", ".join(f"{term} {self.last(term):.4g}" for term in self.values)
        cut = ", interrupted" if self.interrupted else ""
        return f"History({self.steps:,} steps{cut}; mean of the last 100: {terms})"


def fit(
    model: nn.Module,
    batches: Iterable,
    *,
    steps: int,
    lr: float = 1e-3,
    decay: bool = True,
    on_step: Callable[[int], None] | None = None,
    precision: str = "auto",
    progress: bool = True,
) -> History:
    """Train `model` with Adam on the first `steps` batches and return what was recorded.

    The learning rate falls linearly from lr to 0 (`decay`). `on_step(step)` is called before each step, to change β
    say. Batches are moved to the model's device; matrix products are in bfloat16 where that gains (`precision`). The
    global seed is not touched. An interrupt keeps what was reached. A loss that is not finite raises TrainingStopped
    before it reaches the parameters.
    """
    require_count("fit", "steps", steps)
    device = next(model.parameters()).device
    players = model.players(lr) if hasattr(model, "players") else [Player("", adam(model.parameters(), lr), model.loss)]
    rates = [[group["lr"] for group in player.optimizer.param_groups] for player in players]
    history, start = History(), time.perf_counter()
    model.train()
    bar = tqdm(zip(range(steps), batches, strict=False), total=steps, disable=not progress, unit="step", mininterval=0.5)
    try:
        for step, batch in bar:
            batch = tuple(part.to(device) for part in (batch if isinstance(batch, tuple) else (batch,)))
            if on_step is not None:
                on_step(step)
            for player, lrs in zip(players, rates, strict=True):
                for group, initial in zip(player.optimizer.param_groups, lrs, strict=True):
                    group["lr"] = initial * (1 - step / steps) if decay else initial
                with autocast(device, precision):
                    terms = require_terms(player.loss(*batch), len(batch[0]))
                means = torch.stack([value.detach().float().mean() for value in terms.values()]).tolist()
                record(history, player.name, dict(zip(terms, means, strict=True)), step)
                player.optimizer.zero_grad()
                terms["loss"].mean().backward()
                player.optimizer.step()
            if step % 50 == 0:
                bar.set_postfix({key: f"{values[-1]:.4g}" for key, values in history.values.items()}, refresh=False)
    except KeyboardInterrupt:
        history.interrupted = True
    finally:
        bar.close()
        model.eval()
        history.seconds = time.perf_counter() - start
    return history


def adam(parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float] = (0.9, 0.999)) -> torch.optim.Adam:
    """Adam in its fused form where there is one for the parameters' device (faster, same update)."""
    parameters = list(parameters)
    fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters)
    return torch.optim.Adam(parameters, lr=lr, betas=betas, fused=fused)


class Joint:
    """Several optimizers that step as one, each on its own parameters, where `fit` or a Player expects one."""

    def __init__(self, *optimizers: torch.optim.Optimizer):
        self.optimizers = optimizers

    @property
    def param_groups(self) -> list[dict]:
        """The groups of all of them; setting a group's "lr" reaches the optimizer that owns it."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def zero_grad(self) -> None:
        """Clear the gradients of all of them."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def step(self) -> None:
        """One step of each."""
        for optimizer in self.optimizers:
            optimizer.step()


def record(history: History, player: str, means: dict[str, float], step: int) -> None:
    """Append the means of one player's terms; stop at the first that is not finite."""
    prefix = f"{player}/" if player else ""
    for term, mean in means.items():
        if not abs(mean) < float("inf"):
            raise TrainingStopped(
                f"fit: {prefix}{term} should be finite, got {mean} at step {step}. The parameters are those of the step "
                "before. Lower lr, or look for a log or a division without a floor.",
                history,
            )
        history.values.setdefault(prefix + term, []).append(mean)


def require_terms(terms: dict[str, Tensor], B: int) -> dict[str, Tensor]:
    """The result of a model's `loss` if it keeps the contract, else an error that says how to mend it."""
    if not isinstance(terms, dict) or "loss" not in terms:
        raise InputTypeError(f'loss: the result should be a dict with the key "loss", got {describe(terms)}. Return {{"loss": ...}}.')
    for term, value in terms.items():
        if not isinstance(value, Tensor) or value.shape != (B,):
            got = describe(value)
            raise InputError(
                f"loss: {term!r} should have one value per example, shape ({B},), got {got}. "
                "Sum over pixels and latent dimensions, and leave the mean over the batch to the loop."
            )
    return terms


def check_model(model: nn.Module, batch: Tensor | tuple[Tensor, ...]) -> None:
    """Test whether a model can go through `fit`: the contract of `loss`, gradients everywhere, the model unchanged.

    Prints one line if all is well; otherwise raises an error that names what to mend.
    """
    batch = batch if isinstance(batch, tuple) else (batch,)
    if not isinstance(model, nn.Module):
        raise InputTypeError(f"check_model: model should be an nn.Module, got {describe(model)}. Derive your class from it.")
    if len(batch[0]) < 2:
        raise InputError(f"check_model: batch should hold at least two examples, got {len(batch[0])}. Pass a few more rows.")
    before = {name: value.clone() for name, value in model.named_parameters()}  # running statistics may move
    losses = [player.loss for player in model.players(1e-3)] if hasattr(model, "players") else [model.loss]
    reached: set[str] = set()
    for loss in losses:
        terms = require_terms(loss(*batch), len(batch[0]))
        if not terms["loss"].requires_grad:
            raise InputError("check_model: loss should depend on the parameters, got a value without gradient. Look for no_grad or detach.")
        model.zero_grad()
        terms["loss"].mean().backward()
        reached |= {name for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    missed = [name for name, p in model.named_parameters() if p.requires_grad and name not in reached]
    if missed:
        raise InputError(
            f"check_model: every parameter should get a gradient, got none for {', '.join(missed)}. Use them, or leave them out."
        )
    if any(not torch.equal(before[name], value) for name, value in model.named_parameters()):
        raise InputError("check_model: loss should leave the parameters as they are, got changed ones. Only the loop makes steps.")
    print(f"{type(model).__name__}: loss gives one value per example, and every parameter gets a gradient.")
