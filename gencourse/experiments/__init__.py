"""Trainings on one's own: any chapter's model at full scale, by one command.

`train` is `gencourse train`: it trains a model by `fit` into a folder, measures it along the way,
goes on where it was stopped, and ends with the weights that were best. `load` opens the result,
`load_text` what turns a text into its tokens, and `names` lists the models.

A model has one file in `recipes/`, in which a Recipe says what is particular to it.
"""

from gencourse.experiments.opening import load, load_text
from gencourse.experiments.recipe import names
from gencourse.experiments.run import train

__all__ = ["load", "load_text", "names", "train"]
