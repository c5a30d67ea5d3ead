"""What sort of thing inputs and targets are."""

from torch import Tensor


def whole_numbers(answer, *args) -> bool:
    """Whether a pair of tensors of whole numbers is returned."""
    x, y = answer(*args)
    return all(isinstance(t, Tensor) and not t.is_floating_point() for t in (x, y))
