"""A step of training, which references and right forms of several exercises share."""

from torch import Tensor
from torch.optim import Optimizer


def descend(optimizer: Optimizer, loss: Tensor) -> float:
    """One step down the loss, which is returned as a float."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
