"""Does a model look ahead? Which output depends on which input, found by experiment."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gencourse.errors import InputError
from gencourse.runtime import seeded
from gencourse.validation import require_count, require_tensor


@torch.no_grad()
def depends_on(
    model: Callable[[Tensor], Tensor], x: Tensor, swaps: int = 3, seed: int = 0
) -> Tensor:
    """Which outputs change when an input changes: (outputs, inputs) bool, True at [i, j] if
    position j moves position i.

    x (1, T) of tokens or (1, C, H, W) of pixels, chosen at random; tokens or pixels are flattened
    in raster order. Each input in turn takes `swaps` other values that occur in x (pixels: new
    random values), and an output position counts as moved if any of its numbers changes by more
    than rounding can, 100 ulp. The model should be in evaluation mode and in double precision (mps
    has none: move it to the CPU), with random weights: a trained weight may be near zero by chance,
    a random one is not.
    """
    require_tensor("depends_on", "x", x)
    if len(x) != 1:
        raise InputError(f"depends_on: x should hold one example, got {len(x)}. Pass x[:1].")
    if isinstance(model, nn.Module) and model.training:
        raise InputError(
            "depends_on: model should be in evaluation mode, got training mode. Call "
            "model.eval(): dropout moves everything."
        )
    require_count("depends_on", "swaps", swaps)
    generator, D = seeded(seed), x.numel()
    before = _by_position(model(x), D)
    if not before.is_floating_point() or not before.isfinite().all():
        raise InputError(
            "depends_on: model should return finite floating-point numbers, got others, which "
            "hide a change. Look at its weights."
        )
    rounding = 100 * torch.finfo(before.dtype).eps * (1 + before.abs())
    moved = torch.zeros(len(before), D, dtype=torch.bool, device="cpu")
    for j in range(D):
        varied = x.flatten(1).repeat(swaps, 1)
        varied[:, j] = _other_values(x.flatten(), j, swaps, generator)
        for row in model(varied.view(swaps, *x.shape[1:])):
            moved[:, j] |= (
                (~((_by_position(row[None], D) - before).abs() <= rounding)).any(-1).cpu()
            )
    return moved


def _by_position(output: Tensor, D: int) -> Tensor:
    """Outputs (1, T, V) for T = D tokens, or (1, C, H, W) with D numbers, as (positions, numbers
    per position).
    """
    if output[0].numel() == D:
        return output[0].flatten()[:, None]
    if output.ndim == 3 and output.shape[1] == D:
        return output[0]
    raise InputError(
        f"depends_on: model should return one number per pixel or (1, T, V) for T = {D} tokens, "
        f"got {tuple(output.shape)}. For several numbers per pixel return (1, pixels, numbers)."
    )


def _other_values(x: Tensor, j: int, swaps: int, generator: torch.Generator) -> Tensor:
    """Values for input j that differ from the present one: random numbers for pixels, other tokens
    of x for tokens.
    """
    if x.is_floating_point():
        return torch.rand(swaps, generator=generator, device=generator.device).to(x)
    others = x[x != x[j]].unique()
    if len(others) == 0:
        raise InputError(
            "depends_on: x should hold at least two different tokens, got one. Draw it at random."
        )
    chosen = torch.randint(len(others), (swaps,), generator=generator, device=generator.device)
    return others[chosen.to(others.device)]


def find_leak(moved: Tensor, own_input: bool = False) -> tuple[int, int] | None:
    """The first (output, input) where an output depends on what it must not see, None if there is
    none.

    moved is what `depends_on` returns. Outputs may depend on the inputs before their own position;
    also on that at their own position if `own_input`, as for a GPT, whose output t predicts token t
    + 1.
    """
    ahead = moved & ~torch.ones_like(moved).tril(0 if own_input else -1)
    positions = ahead.nonzero()
    return None if len(positions) == 0 else tuple(positions[0].tolist())
