"""The one loop that trains every model of the course, yours as well, and the contract that it asks
of a model.

A model is an nn.Module with `loss(*batch) -> {"loss": (B,), ...}`: one value per example, in nats,
to be minimised; further terms are recorded. A model that brings its own optimizer, or that is a
game of several players, has `players(lr)` besides (see Player).
"""

from gencourse.training.contract import Player, check_model, require_terms
from gencourse.training.history import History
from gencourse.training.loop import fit
from gencourse.training.muon import Muon, orthogonalize
from gencourse.training.optimizers import JointOptimizer, adam

__all__ = [
    "History",
    "JointOptimizer",
    "Muon",
    "Player",
    "adam",
    "check_model",
    "fit",
    "orthogonalize",
    "require_terms",
]
