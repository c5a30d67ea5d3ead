"""What a learner's value of the game says of a discriminator that is sure and wrong."""

from collections.abc import Callable

from torch import Tensor


def far_below(answer: Callable, p_data: Tensor, p_g: Tensor, D: Tensor, cell: float) -> bool:
    """Whether the value lies below -50 nats: where log 0 weighs, programs say -inf, -100 or -87.

    Python's own logarithm refuses 0 with a ValueError. That is as good.
    """
    try:
        value = answer(p_data, p_g, D, cell)
    except ValueError:
        return True
    return bool(value < -50)


def dtype_of(answer: Callable, p_data: Tensor, p_g: Tensor) -> str:
    """The dtype of what an answer makes of two densities."""
    return str(answer(p_data, p_g).dtype).removeprefix("torch.")


def times(answer: Callable, p_data: Tensor, p_g: Tensor, factor: float) -> Tensor:
    """D times a large number: where D is tiny, a plain comparison would take 0 for it."""
    return factor * answer(p_data, p_g).double()
