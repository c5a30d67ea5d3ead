"""A network that notes how it was called: with how much, and in which modes its layers were."""

from torch import Tensor, nn


class Noting(nn.Module):
    """A network that notes, whenever it is called, how many rows it was given and its modes.

    `inside` holds layers of torch's own kinds that know their mode; no number passes through them.
    """

    def __init__(self) -> None:
        super().__init__()
        norms = (nn.BatchNorm1d(1, affine=False), nn.BatchNorm2d(1, affine=False))
        self.inside = nn.Sequential(*norms, nn.Dropout(0.5))
        self.knowing = [*norms, self.inside[-1]]
        self.inputs: list[int] = []
        self.noted: list[list[bool]] = []
        self.came_in = self.modes()

    def arrive(self, training: bool, part: bool = True) -> None:
        """Take a mode; without `part` the batch norms are in evaluation mode, as when they are to
        keep their statistics.
        """
        self.train(training)
        self.inside[:2].train(training and part)
        self.came_in = self.modes()

    def modes(self) -> list[bool]:
        """Whether in training mode, for the network and for its layers that know their mode."""
        return [self.training, *(layer.training for layer in self.knowing)]

    def note(self, x: Tensor) -> None:
        """Remember a call with these rows."""
        self.inputs.append(len(x))
        self.noted.append(self.modes())

    def kept_its_modes(self) -> bool:
        """Whether all of it was in the mode in which it came in whenever it was called."""
        return all(modes == self.came_in for modes in self.noted)
