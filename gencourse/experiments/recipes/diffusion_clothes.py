"""Chapter 4's diffusion of pixels, on clothes."""

from dataclasses import replace

from gencourse.experiments.recipes import diffusion_digits

RECIPE = replace(diffusion_digits.RECIPE, data_set="fashion-mnist", w=1.5)
