"""What the learner may set in the GAN lab."""

from dataclasses import dataclass

from gencourse.data import GaussianMixture
from gencourse.errors import InputError, InputTypeError, describe
from gencourse.gan_lab.shapes import CELLS, SHAPES, density_of
from gencourse.models.gan import LOSSES
from gencourse.validation import require_count

DATA = ("ring", "grid", "two", "spiral", "drawn")
PENALTIES = ("none", "R1", "gradient penalty")
OPTIMIZERS = ("Adam", "SGD")
NOISES = {"normal 2-D": 2, "uniform 2-D": 2, "normal 1-D": 1}  # name -> length of a code
CHOICES = {
    "data": DATA,
    "loss": tuple(LOSSES),
    "penalty": PENALTIES,
    "optimizer": OPTIMIZERS,
    "noise": tuple(NOISES),
}
FIXED = (
    "data",
    "cells",
    "noise",
    "hidden",
    "batch_size",
    "seed",
)  # to change one of these is to start again


@dataclass(frozen=True)
class Settings:
    """One game: the data, the rules, and how fast each player learns.

    `loss` names one of models.gan.LOSSES. `penalty_weight` is the γ of R1 or the λ of the gradient
    penalty. `lr` is the generator's learning rate, and `d_lr_ratio` the discriminator's in that of
    the generator. In one round D makes `d_steps` moves and then G makes `g_steps`. Both networks
    have two hidden layers of `hidden` units. `cells` are those that are filled where the data are
    "drawn", numbered row by row from the lowest left.
    """

    data: str = "ring"
    loss: str = "non-saturating"
    penalty: str = "R1"
    penalty_weight: float = 0.1
    lr: float = 2e-3
    d_lr_ratio: float = 2.0
    d_steps: int = 1
    g_steps: int = 1
    optimizer: str = "Adam"
    noise: str = "normal 2-D"
    hidden: int = 128
    batch_size: int = 256
    seed: int = 0
    cells: tuple[int, ...] = SHAPES["smile"]

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise InputError(
                    f"Settings: {name} should be one of {', '.join(choices)}, got "
                    f"{getattr(self, name)!r}. Choose one of them."
                )
        for name, least in (
            ("d_steps", 1),
            ("g_steps", 1),
            ("hidden", 1),
            ("batch_size", 2),
            ("seed", 0),
        ):
            require_count("Settings", name, getattr(self, name), at_least=least)
        if self.batch_size > 4096:
            raise InputError(
                f"Settings: batch_size should be at most 4096, got {self.batch_size}. Lower it."
            )
        cells = tuple(sorted(set(self.cells)))
        if not cells or not all(type(c) is int and 0 <= c < CELLS**2 for c in cells):
            raise InputError(
                f"Settings: cells should be some of 0..{CELLS**2 - 1}, got {self.cells}. Fill at "
                "least one cell of the drawing."
            )
        object.__setattr__(self, "cells", cells)  # a file holds a list
        for name, what in (
            ("lr", "above 0"),
            ("d_lr_ratio", "above 0"),
            ("penalty_weight", "at least 0"),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InputTypeError(
                    f"Settings: {name} should be a number, got {describe(value)}. Pass a float."
                )
            if not 0 <= value < float("inf") or (value == 0 and what == "above 0"):
                raise InputError(
                    f"Settings: {name} should be {what} and finite, got {value}. Choose such a "
                    "number."
                )

    @property
    def density(self) -> GaussianMixture:
        """The true density of the data."""
        return density_of(self.data, self.cells)

    @property
    def latent_dim(self) -> int:
        """The length of a code."""
        return NOISES[self.noise]

    def needs_new_match(self, other: "Settings") -> bool:
        """Whether a match under these settings cannot go on under the others, because data or
        networks differ.
        """
        return any(getattr(self, name) != getattr(other, name) for name in FIXED)
