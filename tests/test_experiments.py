"""`gencourse train`: what it writes; that it goes on to the last bit, and measures well."""

import json
import math
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from gencourse import cli, figures
from gencourse.data import images, text
from gencourse.data.downloads import IDX_FILES
from gencourse.errors import CourseError, InputError, TrainingStopped
from gencourse.experiments import folder as folders
from gencourse.experiments import load, load_text, measures, names, planning, recipes, train
from gencourse.experiments.characters import Characters
from gencourse.experiments.folder import Folder, read_weights, save_weights
from gencourse.experiments.lock import alone
from gencourse.experiments.pictures import Pictures, pictures
from gencourse.experiments.plan import Plan, requested
from gencourse.experiments.recipe import recipe
from gencourse.experiments.watch import Watch, looks
from gencourse.models.autoregressive import GPT, MADE, PixelCNN
from gencourse.models.gan import GAN, Discriminator, Generator
from gencourse.runtime import global_seed, seeded
from gencourse.training import checkpoint, fit
from gencourse.widgets import latent_explorer, latent_strip, sampling_explorer, sampling_strip
from tests.pretended.device import pretended

plt.switch_backend("agg")
ROOT = Path(__file__).parents[1]
ALL = (
    "autoencoder",
    "diffusion_clothes",
    "diffusion_codes",
    "diffusion_digits",
    "gan",
    "gpt",
    "made",
    "pixelcnn",
    "vae",
    "wardrobe",
)
FAST = ("gpt", "vae")
SLOW = [name for name in ALL if name not in FAST]
each = pytest.mark.parametrize(
    "name", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)


def smoke(name, to, **options):
    return train(name, **{"scale": "smoke", "to": to, "progress": False} | options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a complete training of a model, which is trained once."""
    kept = {}

    def of(name):
        if name not in kept:
            kept[name] = smoke(name, tmp_path_factory.mktemp("trained") / name)
        return kept[name]

    return of


def tensors(model):
    return {key: x for key, x in model.state_dict().items() if isinstance(x, torch.Tensor)}


def same(one, other):
    one, other = (x if isinstance(x, dict) else tensors(x) for x in (one, other))
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def undisturbed(name, seed=0):
    """The model of a recipe trained by `fit` alone."""
    chosen = recipe(name)
    data, how = chosen.data("shipped").few(), chosen.training["smoke"]
    with global_seed(seed):
        model = chosen.model(chosen.settings(data, "smoke"), data)
        batches = chosen.batches(model, data, how.batch_size, seed)
        fit(model, batches, steps=how.steps, lr=how.lr, progress=False)
    return model, data


# what a training leaves


def test_every_model_of_the_chapters_is_there():
    assert tuple(names()) == ALL


@each
def test_folder_holds_what_the_manual_says(name, finished):
    path, chosen = finished(name), recipe(name)
    steps = chosen.training["smoke"].steps
    for file in ("README.md", "metrics.csv", "model.safetensors", "plan.json", "scores.json"):
        assert (path / file).stat().st_size
    assert not (path / "best.safetensors").exists()
    rows = Folder(path).rows()
    assert [row["step"] for row in rows] == sorted(looks(steps)) and len(rows[0]) >= 4
    assert all(math.isfinite(x) for row in rows for x in row.values())
    assert any(key.startswith("train/") for key in rows[0])
    scores = json.loads((path / "scores.json").read_text("utf-8"))
    assert scores["scores"].keys() == chosen.meanings.keys()
    assert all(math.isfinite(x) for x in scores["scores"].values())
    first = list(rows[0])[2]
    assert scores["best_step"] == min(rows, key=lambda row: row[first])["step"]
    page = (path / "README.md").read_text("utf-8")
    assert f"gencourse train {name} --scale smoke" in page
    assert all(meaning in page for meaning in chosen.meanings.values())
    assert len(list((path / "samples").glob("step_*"))) == -(-steps // chosen.samples_every)
    (last,) = (path / "samples").glob(f"step_{steps:06d}.*")
    if last.suffix == ".png":
        assert min(Image.open(last).size) > 28
    else:
        assert len(last.read_text("utf-8")) == 220


@each
def test_looking_changes_nothing_and_what_is_loaded_is_what_was_trained(name, finished):
    """The last weights are those of `fit` alone; so are the loaded ones, if the last are best."""
    path = finished(name)
    model, data = undisturbed(name)
    loaded = load(path)
    assert not any(part.training for part in loaded.modules())
    last = checkpoint.read(path / "checkpoint.safetensors")["model"]
    assert same({key: x for key, x in last.items() if isinstance(x, torch.Tensor)}, tensors(model))
    best = json.loads((path / "scores.json").read_text("utf-8"))["best_step"]
    if name in FAST:
        assert best == recipe(name).training["smoke"].steps, "else this shows less"
    if best == recipe(name).training["smoke"].steps:
        assert same(loaded, model)
        one, other = (recipe(name).samples(each, data) for each in (loaded, model))
        assert one == other if isinstance(one, str) else torch.equal(one, other)


def test_widgets_and_figures_take_what_is_loaded(finished):
    vae = load(finished("vae"))
    x = images("mnist").test[:1]
    figures.image_grid(vae.sample(4), columns=2)
    explorer = latent_explorer(vae.decode_mean, vae.encode(x).mu[0])
    assert explorer.show(torch.zeros(1, vae.latent_dim)).startswith(b"\x89PNG")
    latent_strip(vae.decode_mean, torch.zeros(vae.latent_dim), dims=(0, 1))
    gpt, words = load(finished("gpt")), load_text(finished("gpt"))
    assert words.decode(words.encode("Romeo")) == "Romeo"
    sampling_strip(gpt(words.encode("Rom")[None])[0, -1], words.vocabulary)
    sampling_explorer(
        lambda s: gpt(words.encode(s)[None, -gpt.block_size :])[0, -1],
        words.vocabulary,
        "ROMEO",
        lambda s, n, **how: words.decode(gpt.generate(words.encode(s)[None], n, **how)[0]),
    )
    plt.close("all")


def test_state_that_is_no_tensor_is_kept(tmp_path):
    def game(seed):
        with global_seed(seed):
            return GAN(Generator(4, 2), Discriminator(2))

    one, other = game(0), game(1)
    one.steps = 7
    save_weights(tmp_path / "w", one, step=3)
    state, about = read_weights(tmp_path / "w")
    other.load_state_dict(state)
    assert same(one, other) and other.steps == 7 and about == {"step": 3}


def test_finished_folder_says_its_scores_without_the_data(finished, monkeypatch, capsys):
    path = finished("vae")
    monkeypatch.setattr(type(recipe("vae")), "data", None)
    smoke("vae", path)
    told = capsys.readouterr().out
    assert "finished" in told and "elbo: **" in told and "iwae_500: **" in told


# going on


def stopping(monkeypatch, at):
    """The watch is interrupted before the step `at`, once; every step is kept."""
    look, left = Watch.__call__, [at]

    def on_step(self, step):
        if left and step == left[0]:
            left.pop()
            raise KeyboardInterrupt
        look(self, step)

    monkeypatch.setattr(Watch, "__call__", on_step)
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)


@pytest.mark.parametrize(
    "name", ["vae", *(pytest.param(name, marks=pytest.mark.slow) for name in ALL if name != "vae")]
)
def test_stopped_and_gone_on_equals_undisturbed(name, finished, tmp_path, monkeypatch, capsys):
    stopping(monkeypatch, 4)
    before = torch.get_rng_state()
    path = smoke(name, tmp_path / "run")
    assert "Stopped. This goes on from where it is: gencourse train" in capsys.readouterr().out
    assert Folder(path).scores() is None
    assert type(load(path)) is type(load(finished(name))), "the best weights so far"
    smoke(name, path)
    assert "goes on at step 4 of 6" in capsys.readouterr().out
    assert same(load(path), load(finished(name)))
    assert torch.equal(before, torch.get_rng_state())
    one, other = (Folder(each) for each in (path, finished(name)))
    assert one.scores()["scores"] == other.scores()["scores"]
    for mine, theirs in zip(one.rows(), other.rows(), strict=True):
        assert mine | {"seconds": 0} == theirs | {"seconds": 0}


def test_interrupt_while_scores_are_measured_loses_nothing(finished, tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(recipe("vae")), "scores", interrupted)
        path = smoke("vae", tmp_path / "run")
    assert "Stopped" in capsys.readouterr().out and Folder(path).scores() is None
    smoke("vae", path)
    assert "is complete" in capsys.readouterr().out
    assert same(load(path), load(finished("vae")))


@pytest.mark.parametrize("values", [(3, 1, 2, 4, 5, 6), (3, float("nan"), 2, 4, 5, 6)])
def test_weights_are_those_with_the_lowest_measure(values, tmp_path, monkeypatch):
    rest, states = iter(values), []

    def measured(self, model, data):
        states.append({key: x.clone() for key, x in tensors(model).items()})
        return {"nats": next(rest), "other": -float(len(states))}

    monkeypatch.setattr(type(recipe("vae")), "held_out", measured)
    path = smoke("vae", tmp_path / "run")
    best = 2 if values[1] == 1 else 3
    assert Folder(path).scores()["best_step"] == best
    assert same(load(path), states[best - 1]) and not same(load(path), states[-1])


def test_where_nothing_is_finite_the_last_weights_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(type(recipe("vae")), "held_out", lambda *_: {"nats": float("nan")})
    path = smoke("vae", tmp_path / "run")
    assert Folder(path).scores()["best_step"] == 6 and same(load(path), undisturbed("vae")[0])


def test_loss_that_is_not_finite_is_said_in_the_words_of_the_command(tmp_path, monkeypatch):
    def grows(model, batches, **_):
        raise TrainingStopped("fit: loss should be finite, got inf at step 4. Lower lr, or …")

    monkeypatch.setattr("gencourse.experiments.run.fit", grows)
    with pytest.raises(
        TrainingStopped, match=r"got inf at step 4\. Continued.* another --seed"
    ) as met:
        smoke("vae", tmp_path / "run")
    assert "lr" not in str(met.value)


def test_table_that_another_program_holds_open_does_not_end_the_training(tmp_path, monkeypatch):
    def held(*_):
        raise PermissionError("metrics.csv is open elsewhere")

    monkeypatch.setattr(Folder, "write_rows", held)
    with pytest.warns(UserWarning, match="metrics.csv is open elsewhere"):
        path = smoke("vae", tmp_path / "run")
    assert Folder(path).scores()


# seconds


def test_steps_fit_into_the_seconds_at_the_measured_rate(monkeypatch):
    now, calls = [0.0], []

    def clocked(model, batches, *, steps, lr, on_step, precision, progress):
        """`fit` with steps of 10 ms, the first five of 1 s."""
        try:
            for step in range(steps):
                on_step(step)
                now[0] += 1.0 if step < 5 else 0.01
                calls.append(step)
        except KeyboardInterrupt:
            pass

    monkeypatch.setattr(planning, "fit", clocked)
    words = (None, (), 1.0, "auto", lambda: now[0])
    fitting = planning.steps_within(100.0, *words)
    assert fitting == pytest.approx(0.97 * 100 * 100, rel=0.01)
    assert 200 <= len(calls) - 5 <= 202, "two seconds of the hundred"
    assert planning.steps_within(1e-9, *words) == 1

    def stopped(*_, on_step, **__):
        on_step(0)

    monkeypatch.setattr(planning, "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        planning.steps_within(100.0, *words)


def test_rate_falls_where_a_training_is_longer_than_any_that_was_tried():
    full = recipe("vae").training["full"]
    assert full.rate(1) == full.rate(full.tried) == full.lr
    assert full.rate(4 * full.tried) == pytest.approx(full.lr / 2)
    assert replace(full, tried=math.inf).rate(10**9) == full.lr
    parts = recipe("vae").data("shipped")
    long = planning.planned(
        recipe("vae"), requested("vae", "full", "shipped", 0, 240_000, None), parts
    )
    assert long.steps == 240_000 and long.lr == full.rate(240_000) < full.lr


def test_a_text_is_not_gone_over_more_often_than_serves(capsys, monkeypatch):
    """Six times, unless someone asks for steps."""
    gpt = recipe("gpt")
    parts = gpt.data("shipped")
    monkeypatch.setattr(planning, "steps_within", lambda *words: 100_000)

    def steps(asked, seconds):
        request = requested("gpt", "full", "shipped", 0, asked, seconds)
        return planning.planned(gpt, request, parts).steps

    six = 6 * len(parts.train) // (16 * 128)
    assert steps(None, None) == steps(None, 3600.0) == six
    assert f"100,000 steps would fit into 3600 seconds; {six:,} are made" in capsys.readouterr().out
    assert steps(9_000, None) == 9_000
    monkeypatch.setattr(planning, "steps_within", lambda *words: 50)
    assert steps(None, 3.0) == 50 and not capsys.readouterr().out


def test_precision_is_the_machines_and_stays_with_the_plan(tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "settled_precision", lambda device: "bfloat16")
    path = smoke("vae", tmp_path / "one", steps=2)
    assert checkpoint.read(path / "checkpoint.safetensors")["run"]["precision"] == "bfloat16"
    assert "| precision | bfloat16 |" in (path / "README.md").read_text("utf-8")
    monkeypatch.setattr(planning, "settled_precision", lambda device: "float32")
    smoke("vae", path, steps=2)
    assert Folder(path).plan().precision == "bfloat16"
    asked = []
    monkeypatch.setattr(planning, "steps_within", lambda *words: asked.append(words[4]) or 3)
    assert Folder(smoke("vae", tmp_path / "two", seconds=9.0)).plan().precision == "float32"
    assert asked == ["float32"]


def test_plan_of_an_earlier_edition_is_read(finished):
    content = Folder(finished("vae")).plan().as_json()
    del content["precision"]
    assert Plan.of_json(content).precision == "auto"


def test_steps_of_seconds_are_measured_once(tmp_path, monkeypatch):
    stopping(monkeypatch, 2)
    path = smoke("vae", tmp_path / "run", seconds=0.5)
    steps = Folder(path).plan().steps
    assert steps > 5
    monkeypatch.setattr(planning, "steps_within", None)
    stopping(monkeypatch, 3)
    smoke("vae", path, seconds=0.5)
    assert Folder(path).plan().steps == steps and Folder(path).plan().request.seconds == 0.5


# data


def write_set(folder, train=60, test=12):
    """The four files of a data set, as torchvision has them."""
    folder.mkdir()
    for key, stem in IDX_FILES.items():
        n = train if key.startswith("train") else test
        shape = (n, 28, 28) if key.endswith("bytes") else (n,)
        top = 256 if len(shape) == 3 else 10
        x = torch.randint(top, shape, generator=seeded(n), dtype=torch.uint8).numpy()
        header = struct.pack(">HBB", 0, 8, x.ndim) + struct.pack(f">{x.ndim}i", *x.shape)
        (folder / stem).write_bytes(header + x.tobytes())
    return folder


def test_whole_set_in_a_folder_is_trained_on(tmp_path):
    data = write_set(tmp_path / "set")
    path = smoke("vae", tmp_path / "run", data=data, steps=2)
    assert Folder(path).scores() and Folder(path).plan().request.data == str(data)
    parts = pictures("mnist", str(data))
    assert [len(x) for x in vars(parts).values()] == [55, 55, 5, 5, 12, 12]
    smoke("vae", path, data=data, steps=2)


def test_files_that_changed_are_noticed(tmp_path, monkeypatch):
    stopping(monkeypatch, 1)
    mine = tmp_path / "mine.txt"
    mine.write_text("to be or not to be, that is the question. " * 80, "utf-8")
    path = smoke("gpt", tmp_path / "run", data=mine)
    assert load_text(path).vocabulary == tuple(sorted(set(mine.read_text("utf-8"))))
    mine.write_text("or not to be, that is the question to be. " * 80, "utf-8")
    with pytest.raises(InputError, match=r"data should be those with which .* began, got changed"):
        smoke("gpt", path, data=mine)


def test_parts_are_the_whole_and_do_not_overlap():
    whole, parts = images("mnist"), pictures("mnist", "shipped")
    assert torch.equal(torch.cat([parts.train, parts.held_out]), whole.train_bytes)
    assert torch.equal(torch.cat([parts.train_labels, parts.held_out_labels]), whole.train_labels)
    assert torch.equal(parts.test, whole.test_bytes) and len(parts.held_out) == 833
    plays, pieces = text("shakespeare"), recipe("gpt").data("shipped")
    assert torch.equal(torch.cat([pieces.train, pieces.held_out]), plays.train)
    assert torch.equal(pieces.test, plays.validation)
    assert len(pieces.held_out) == len(plays.train) // 12


@pytest.mark.parametrize("name", ALL)
def test_batches_draw_from_the_part_to_train_on_alone(name):
    """The training part is white, or the token 1, and everything else is 0."""
    ones, zeros = torch.full((40, 1, 28, 28), 255, dtype=torch.uint8), torch.zeros(40).long()
    nothing, one = torch.zeros_like(ones), torch.ones(400).long()
    data = Pictures(ones, zeros + 1, nothing, zeros, nothing, zeros)
    if name == "gpt":
        data = Characters(("a", "b"), one, one * 0, one * 0)
    chosen, model = recipe(name), SimpleNamespace(block_size=16)
    for _, batch in zip(range(20), chosen.batches(model, data, 8, seed=1), strict=False):
        parts = batch if isinstance(batch, tuple) else (batch,)
        assert all(bool((part == 1).all()) for part in parts)


# measures


def test_gpt_that_knows_nothing_costs_log_v():
    gpt = GPT(7, block_size=5, layers=1, heads=1, width=8)
    torch.nn.init.zeros_(gpt.token_embedding.weight)
    tokens = torch.randint(7, (43,), generator=seeded(0))
    with torch.no_grad():
        assert measures.text_nats(gpt, tokens) == pytest.approx(math.log(7), rel=1e-6)
        assert measures.quick_text_nats(gpt, tokens) == pytest.approx(math.log(7), rel=1e-6)


@pytest.mark.parametrize("n", [4, 6, 11, 13, 1_204])
@torch.no_grad()
def test_every_token_of_a_text_is_counted_once(n):
    gpt = GPT(7, block_size=5, layers=1, heads=1, width=8)
    torch.nn.init.normal_(gpt.token_embedding.weight)
    tokens = torch.randint(7, (n,), generator=seeded(0))
    total = 0.0
    for start in range(0, n - 1, 5):
        logits = gpt(tokens[None, start : min(start + 5, n - 1)]).log_softmax(-1)[0]
        if (n - 1) % 5 and start + 5 > n - 1:  # the rest: the last tokens of the text
            rest = (n - 1) % 5
            logits = gpt(tokens[None, n - 1 - rest : n - 1]).log_softmax(-1)[0]
        following = tokens[start + 1 : start + 6]
        total -= logits.gather(1, following[:, None]).sum().item()
    assert measures.text_nats(gpt, tokens) == pytest.approx(total / (n - 1), rel=1e-5)


@pytest.mark.parametrize("make", [lambda: MADE((1, 6, 6), 8), lambda: PixelCNN(4, 3, 1, (1, 6, 6))])
def test_model_of_even_pixels_costs_log_2_each(make):
    model = make()
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.bernoulli(torch.full((450, 1, 6, 6), 0.3), generator=seeded(0))
    with torch.no_grad():
        assert measures.exact_nats(model, x) == pytest.approx(36 * math.log(2), rel=1e-6)


def test_bounds_of_a_vae_whose_code_says_nothing_are_its_likelihood():
    """If the decoder does not look at z, and q is the prior, both bounds are log p(x)."""
    vae = recipe("vae").model({"latent_dim": 2, "hidden": 4})
    for parameter in vae.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.bernoulli(torch.full((3, 1, 28, 28), 0.3), generator=seeded(0))
    terms = measures.elbo_terms(vae, x)
    assert terms["elbo"] == pytest.approx(-784 * math.log(2), rel=1e-6) and terms["kl"] == 0
    assert measures.iwae(vae, x, K=5) == pytest.approx(-784 * math.log(2), rel=1e-6)


def test_real_images_are_near_to_real_images_and_labels_are_obeyed():
    data = pictures("fashion-mnist", "shipped")
    real = data.held_out.float() / 255
    judged = measures.sample_scores("fashion-mnist", real, data.test[:1_000])
    assert 0 < judged["frechet"] < 5 and min(judged["precision"], judged["recall"]) > 0.7
    noise = torch.rand(100, 1, 28, 28, generator=seeded(0))
    assert measures.frechet("fashion-mnist", noise, data.test[:200]) > 100
    right = measures.obeyed("fashion-mnist", real, data.held_out_labels)
    assert right > 0.9 and measures.obeyed("fashion-mnist", real, 9 - data.held_out_labels) < 0.1


def test_measuring_leaves_modes_and_generators_as_they_were():
    model = GAN(Generator(4, 2), Discriminator(2)).train()
    model.discriminator.eval()
    modes, before = [part.training for part in model.modules()], torch.get_rng_state()
    with measures.measuring(model):
        assert not any(part.training for part in model.modules())
        assert not torch.is_grad_enabled()
        torch.rand(3)
    assert [part.training for part in model.modules()] == modes
    assert torch.equal(before, torch.get_rng_state())


# finding recipes


MINE = """
from gencourse.experiments.recipes.vae import RECIPE as vae
import dataclasses
RECIPE = dataclasses.replace(vae, columns=4)
"""


def test_recipe_is_found_by_its_file(tmp_path, monkeypatch):
    (tmp_path / "later_chapter.py").write_text(MINE, "utf-8")
    monkeypatch.setattr(recipes, "__path__", [*recipes.__path__, str(tmp_path)])
    assert "later_chapter" in names()
    path = smoke("later_chapter", tmp_path / "run", steps=1)
    assert Folder(path).scores() and load(path).latent_dim == 2


# refusals


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"name": "vea"},
            "name should be one of autoencoder, .*gan, gpt.*got 'vea'.*gencourse tra",
        ),
        ({"scale": "huge"}, "scale should be one of smoke, default, full, got 'huge'"),
        ({"steps": 0}, "steps should be at least 1, got 0"),
        ({"seconds": -1.0}, "seconds should be a positive number, got float -1.0"),
        ({"seconds": math.nan}, "seconds should be a positive number"),
        ({"steps": 3, "seconds": 9.0}, "steps or seconds should be given, got both"),
        ({"seed": -1}, "seed should be at least 0"),
        ({"data": "nowhere"}, "nowhere.*got no such folder"),
        ({"name": "gpt", "data": "full"}, "data should be 'shipped' or the path of a text"),
        ({"name": "gpt", "data": "nothing.txt"}, "nothing.txt should be a file that can be read"),
    ],
)
def test_wrong_arguments_are_refused_in_a_sentence(options, said, tmp_path):
    with pytest.raises(CourseError, match=said):
        smoke(**{"name": "vae", "to": tmp_path / "new"} | options)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": 3}, "with seed 0 there and 3 here"),
        ({"scale": "default"}, "with scale smoke there and default here"),
        ({"steps": 7}, "with steps not given there and 7 here.*--to PATH"),
        ({"name": "gpt"}, "with name vae there and gpt here.*gencourse train vae --scale smoke"),
    ],
)
def test_folder_of_another_training_is_refused(options, said, finished):
    with pytest.raises(InputError, match=said):
        smoke(**{"name": "vae", "to": finished("vae")} | options)


def test_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x", "utf-8")
    for to in (tmp_path, tmp_path / "thesis.tex"):
        with pytest.raises(InputError, match="got one with other files"):
            smoke("vae", to)
        with pytest.raises(InputError, match=r"should be .*folder"):
            load(to)
    (tmp_path / "plan.json").write_text("[]", "utf-8")
    with pytest.raises(InputError, match=r"plan\.json that is none of ours"):
        smoke("vae", tmp_path)


HOLDING = """
import sys
from dataclasses import replace
from pathlib import Path
from gencourse.experiments.lock import alone
if sys.argv[2] == "windows":
    from tests.pretended.platforms import pretend
    pretend("windows")
with alone(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("system", ["", "windows"])
def test_two_trainings_in_one_folder_are_refused(system, tmp_path):
    """While a process works there, and no longer: also after one that was killed."""
    folder = tmp_path / "run"
    line = [sys.executable, "-c", HOLDING, str(folder), system]
    with subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True, encoding="utf-8"
    ) as holder:
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(InputError, match=r"no training is at work, got .*run.*--to PATH"):
            smoke("vae", folder)
        assert not (folder / "plan.json").exists()
        holder.kill()
    smoke("vae", folder, steps=1)
    assert Folder(folder).scores()


def test_disk_without_locks_is_trained_on(tmp_path, monkeypatch):
    def lacking(file):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("gencourse.experiments.lock.lock", lacking)
    with alone(tmp_path / "run"):
        pass
    assert (tmp_path / "run" / ".lock").exists()


def test_nothing_to_load_is_said_in_a_sentence(tmp_path, finished, monkeypatch):
    with pytest.raises(InputError, match=r"load: path should be .*no folder.*gencourse train vae"):
        load(tmp_path / "missing")
    with pytest.raises(InputError, match=r"load_text: path should be .* model of text"):
        load_text(finished("vae"))
    stopping(monkeypatch, 0)
    path = smoke("vae", tmp_path / "run")
    with pytest.raises(InputError, match=r"has not come to its first look\. Go on with it: gencou"):
        load(path)
    (path / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match="should hold the weights of a model"):
        load(path)


def test_file_is_whole_or_not_there(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "file"
    folders.write_whole(path, b"one")

    def torn(*_):
        raise OSError

    monkeypatch.setattr("gencourse.files.put", torn)
    with pytest.raises(OSError):
        folders.write_whole(path, b"two")
    assert path.read_bytes() == b"one"


# the command


def test_command_trains_stops_and_goes_on(tmp_path, monkeypatch):
    words = ["train", "vae", "--scale", "smoke", "--steps", "3", "--to", str(tmp_path / "run")]
    stopping(monkeypatch, 2)
    stopped = CliRunner().invoke(cli.app, words)
    assert stopped.exit_code == 130 and " ".join(words[:4]) in stopped.output
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 0 and "elbo" in done.output
    unnamed = CliRunner().invoke(cli.app, ["train"])
    assert isinstance(unnamed.exception, InputError)
    assert ", ".join(ALL) in str(unnamed.exception)


# devices


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gan", "gpt", "vae", "wardrobe"])
def test_training_on_a_gpu_gives_what_the_cpu_gives(name, finished, tmp_path, monkeypatch):
    """On a pretended one, whose generators draw what the CPU's draw."""
    on_cpu = finished(name)
    monkeypatch.setenv("GENCOURSE_DEVICE", "cuda")
    with pretended("cuda") as device:
        path = smoke(name, tmp_path / "run")
        assert device.kernels > 100
        assert next(load(path).parameters()).device.type == "cpu"
        assert next(load(path, "cuda").parameters()).device.type == "cuda"
    one, other = (Folder(each).scores()["scores"] for each in (path, on_cpu))
    assert one == pytest.approx(other, rel=1e-2, abs=1e-2)
