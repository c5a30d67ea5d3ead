"""The decoder and the GPT that ship are what their datasheets say, and so are the recorded runs."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gencourse.data import images, text
from gencourse.errors import DataUnavailable, InputError
from gencourse.experiments.measures import frechet, text_nats
from gencourse.models import autoregressive, gan
from gencourse.models.autoregressive.trained import FILES
from gencourse.models.gan import trained as trained_gan
from gencourse.models.vae import trained, trained_decoder
from gencourse.runtime import seeded, standard_normal

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


def test_a_generator_comes_back_as_it_was_stored(tmp_path, monkeypatch):
    model = gan.Generator(latent_dim=8, width=4, num_classes=10).eval()
    file = tmp_path / "generator.safetensors"
    halves = {n: t.half() if t.is_floating_point() else t for n, t in model.state_dict().items()}
    save_file(halves, file)
    monkeypatch.setattr(trained_gan, "FILE", file)
    stored, z, y = trained_gan.trained_generator(), torch.randn(6, 8), torch.arange(6)
    assert stored.latent_dim == 8 and not stored.training
    torch.testing.assert_close(stored(z, y), model(z, y), atol=2e-3, rtol=0)


def test_missing_weights_are_told_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(trained_gan, "FILE", tmp_path / "none")
    with pytest.raises(DataUnavailable, match="make_trained_generator"):
        trained_gan.trained_generator()


def test_the_generator_that_ships_is_what_its_datasheet_says():
    file = Path(str(trained_gan.FILE))
    page = file.with_suffix(".md").read_text("utf-8")
    generator, labels = trained_gan.trained_generator(), torch.arange(2000) % 10
    samples = generator(standard_normal(2000, generator.latent_dim, seed=1), labels)
    distance = frechet("fashion-mnist", samples, images("fashion-mnist").test_bytes)
    assert abs(distance - float(re.search(r"Fréchet distance ([\d.]+)", page)[1])) < 0.1
    assert file.stat().st_size < 2e6


def test_the_gpt_costs_what_its_datasheet_says():
    data, model = text("shakespeare"), autoregressive.trained_gpt()
    assert model.vocab_size == len(data.vocabulary) and not model.training
    page = (FILES / "gpt_shakespeare.md").read_text("utf-8")
    whole = torch.cat([data.train[-1:], data.validation])
    with torch.no_grad():
        nats = text_nats(model, whole)
    assert abs(nats - float(re.search(r"([\d.]+) nats per character", page)[1])) < 0.01
    assert Path(str(FILES / "gpt_shakespeare.safetensors")).stat().st_size < 2e6


def test_recorded_runs_say_how_they_were_made():
    page = (FILES / "recorded.md").read_text("utf-8")
    for name in ("digits", "isoflop", "optimizers", "overfitting", "tokens"):
        found = autoregressive.recorded(name)
        assert found["made_by"].endswith(f"authoring.record_autoregressive {name}")
        assert found["computing_seconds"] > 0 and f"| {name} |" in page
    with pytest.raises(InputError, match="digits, isoflop, optimizers, overfitting, tokens"):
        autoregressive.recorded("digit")


def test_recorded_comparisons_are_paired_and_on_equal_terms():
    digits = autoregressive.recorded("digits")
    for pair, differences in digits["difference"].items():
        a, b = pair.split(" - ")
        means = zip(digits["nats"][a], digits["nats"][b], strict=True)
        assert differences == pytest.approx([x - y for x, y in means], abs=1e-3)
    chosen = [autoregressive.recorded(name)["rows"] for name in ("optimizers", "tokens")]
    for row in (row for rows in chosen for row in rows.values() if "tuning" in row):
        assert min(row["tuning"], key=lambda lr: row["tuning"][lr]) == str(row["lr"])
        assert min(map(float, row["tuning"])) < row["lr"] < max(map(float, row["tuning"]))
    isoflop = autoregressive.recorded("isoflop")["rows"]
    for row in isoflop:  # 6 N D, a step being 32 windows of 32 tokens
        assert 6 * row["N"] * row["steps"] * 1024 == pytest.approx(row["C"], rel=0.05)
    for budget in {row["C"] for row in isoflop}:  # each line bends
        line = [row["nats"] for row in isoflop if row["C"] == budget]
        assert 0 < line.index(min(line)) < len(line) - 1
    tokens = autoregressive.recorded("tokens")
    for row in tokens["rows"].values():
        spent = 6 * row["parameters"] * row["steps"] * 1024
        assert spent == pytest.approx(tokens["operations"], rel=0.01)
        per_byte = [n / row["bytes_per_token"] / 0.6931472 for n in row["nats_per_token"]]
        assert per_byte == pytest.approx(row["bits_per_byte"], rel=1e-4)
