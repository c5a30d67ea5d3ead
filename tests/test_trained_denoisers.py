"""The denoisers that ship are what their datasheets say, and so is the recorded table."""

import re

import pytest
import torch

from gencourse.data import images
from gencourse.evaluation import feature_network
from gencourse.experiments.measures import frechet, in_turn, obeyed, sample_scores
from gencourse.models import diffusion as df
from gencourse.models.diffusion.trained import FILES
from gencourse.models.vae import trained_decoder

STEMS = {"denoiser_mnist": "mnist", "denoiser_fashion-mnist": "fashion-mnist"}
each = pytest.mark.parametrize(("stem", "data_set"), list(STEMS.items()))


def page(stem):
    return (FILES / f"{stem}.md").read_text("utf-8")


def test_they_are_small_and_their_pages_say_how_they_were_made():
    for stem in (*STEMS, "codes_mnist"):
        assert (FILES / f"{stem}.safetensors").stat().st_size < 3e6
        assert "gencourse train diffusion_" in page(stem) and " seconds" in page(stem)
        rows = df.recorded("shipped")[stem]
        stated = re.search(r"no label: Fréchet distance ([\d.]+)", page(stem))[1]
        assert float(stated) == pytest.approx(rows["no label"]["frechet"], abs=0.06)


@each
def test_they_draw_what_they_are_asked_for(stem, data_set):
    """On few samples: two hundred, and half as many steps as the datasheet's."""
    model, labels = df.trained_denoiser(data_set), in_turn(200)
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    samples = model.sample(200, steps=12, seed=1, y=labels)
    assert obeyed(data_set, samples, labels) > 0.8
    test = images(data_set).test_bytes
    noise = torch.rand(samples.shape, generator=torch.Generator().manual_seed(0))
    # two hundred real images have a distance of their own
    real = frechet(data_set, test[:200], test[200:])
    assert frechet(data_set, samples, test) < real + 12 < frechet(data_set, noise, test)


@pytest.mark.slow
@each
def test_they_have_the_scores_of_the_datasheet(stem, data_set):
    rows, labels = df.recorded("shipped")[stem], in_turn(1000)
    samples = df.trained_denoiser(data_set).sample(1000, steps=25, seed=1, y=labels)
    found = sample_scores(data_set, samples, images(data_set).test_bytes)
    assert found["frechet"] == pytest.approx(rows["w = 1"]["frechet"], abs=0.3)
    assert found["recall"] == pytest.approx(rows["w = 1"]["recall"], abs=0.02)


def test_the_flow_of_codes_has_the_distance_of_the_datasheet():
    flow, labels = df.trained_code_flow(), in_turn(1000)
    samples = trained_decoder()(flow.sample(1000, steps=25, seed=1, y=labels))
    stated = df.recorded("shipped")["codes_mnist"]["w = 1"]
    distance = frechet("mnist", samples, images("mnist").test_bytes)
    assert distance == pytest.approx(stated["frechet"], abs=0.3)
    seen = feature_network("mnist").classify(samples)
    assert 100 * (seen == labels).double().mean() == pytest.approx(stated["obeyed"], abs=1)


def test_the_recorded_table_says_how_it_was_made():
    found = df.recorded("families")
    assert found["made_by"].startswith("python -m authoring.record_families")
    assert found["computing_seconds"] > 0 and found["samples"] == 2000
    for row in found["rows"].values():
        assert len(row["frechet"]) == len(row["recall"]) == 3
        assert row["milliseconds"] > 0 and row["per_second"] > 0
    assert "families" in (FILES / "recorded.md").read_text("utf-8")
