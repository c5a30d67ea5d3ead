"""The decoder that ships is what its datasheet says."""

import re
from pathlib import Path

import torch

from gencourse.data import images
from gencourse.experiments.measures import frechet
from gencourse.models.vae import trained, trained_decoder
from gencourse.runtime import seeded

FILE = Path(str(trained.FILE))


def stated(pattern):
    page = FILE.with_suffix(".md").read_text("utf-8")
    return float(re.search(pattern, page)[1])


def test_its_samples_have_the_frechet_distance_of_the_datasheet():
    z = torch.randn(2000, trained.LATENT_DIM, generator=seeded(1))
    distance = frechet("mnist", trained_decoder()(z), images("mnist").test_bytes)
    assert abs(distance - stated(r"from the prior ([\d.]+)")) < 0.1


def test_it_is_small_and_gives_grey_values():
    assert FILE.stat().st_size < 2e6
    made = trained_decoder()(torch.zeros(3, trained.LATENT_DIM))
    assert made.shape == (3, 1, 28, 28)
    assert made.min() >= 0 and made.max() <= 1 and not made.requires_grad


def test_each_call_gives_a_decoder_of_its_own_and_draws_nothing():
    before = torch.get_rng_state()
    one, other = trained_decoder(), trained_decoder()
    assert torch.equal(before, torch.get_rng_state())
    one.layers[0].weight.zero_()
    assert other.layers[0].weight.abs().max() > 0
