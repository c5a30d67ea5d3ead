"""The loop, its contract, and what it does when something goes wrong."""

import warnings
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.budget import train_within
from gencourse.data import minibatches
from gencourse.errors import InputError, InputTypeError, TrainingStopped
from gencourse.models.autoregressive import PixelCNN
from gencourse.models.gan import GAN, Discriminator, Generator
from gencourse.models.vae import VAE, Autoencoder, ConditionalVAE, LinearGaussianVAE
from gencourse.training import History, Player, adam, check_model, fit, require_terms


class Line(nn.Module):
    """-log p up to a constant of y = w x + b with unit variance."""

    def __init__(self):
        super().__init__()
        self.w, self.b = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))

    def loss(self, x, y):
        return {"loss": 0.5 * (y - self.w * x - self.b).square().sum(1)}


def endless(B=16):
    generator = torch.Generator().manual_seed(0)
    while True:
        x = torch.randn(B, 1, generator=generator)
        yield x, 3 * x - 1


def quiet(model, batches, **kwargs):
    return fit(model, batches, progress=False, **kwargs)


def test_fit_finds_the_line_and_records_every_step():
    model = Line()
    history = quiet(model, endless(), steps=400, lr=0.1)
    assert model.w.item() == pytest.approx(3, abs=1e-2) and model.b.item() == pytest.approx(
        -1, abs=1e-2
    )
    assert history.steps == len(history["loss"]) == 400 and not history.interrupted
    assert history.last("loss", steps=10) < 1e-3 < history["loss"][0]


def test_fit_equals_a_loop_written_by_hand():
    model, other = Line(), Line()
    quiet(model, endless(), steps=20, lr=0.05, decay=False)
    optimizer = torch.optim.Adam(other.parameters(), lr=0.05)
    for _, (x, y) in zip(range(20), endless(), strict=False):
        loss = other.loss(x, y)["loss"].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(model.w, other.w)


def test_learning_rate_falls_linearly_to_zero():
    seen = []

    class Watched(Line):
        def players(self, lr):
            self.optimizer = adam(self.parameters(), lr)
            return [Player("", self.optimizer, self.loss)]

    model = Watched()
    quiet(
        model,
        endless(),
        steps=4,
        lr=0.4,
        on_step=lambda step: seen.append(model.optimizer.param_groups[0]["lr"]),
    )
    assert seen == pytest.approx([0.4, 0.4, 0.3, 0.2])  # as it stood before steps 0, 1, 2, 3


def test_fit_does_not_touch_the_global_seed():
    before = torch.random.get_rng_state()
    quiet(Line(), endless(), steps=3)
    assert torch.equal(before, torch.random.get_rng_state())


class Duel(nn.Module):
    """min over a, max over b of a b + ½ a² - ½ b²: a game whose solution is (0, 0)."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(-2.0))

    def value(self, x):
        return (self.a * self.b + 0.5 * self.a**2 - 0.5 * self.b**2).expand(len(x))

    def players(self, lr):
        return [
            Player("min", adam([self.a], lr), lambda x: {"loss": self.value(x)}),
            Player("max", adam([self.b], lr), lambda x: {"loss": -self.value(x)}),
        ]


def test_rate_rises_over_the_warmup_and_falls_to_zero():
    model, rates = Line(), []

    class Noting(torch.optim.SGD):
        def step(self, closure=None):
            rates.append(self.param_groups[0]["lr"])

    model.players = lambda lr: [Player("", Noting(model.parameters(), lr), model.loss)]
    quiet(model, endless(), steps=10, lr=0.5, warmup=0.4)
    falling = [0.5 * (1 - step / 10) for step in range(10)]
    assert rates == pytest.approx(
        [falling[0] / 4, falling[1] / 2, falling[2] * 3 / 4, *falling[3:]]
    )
    with pytest.raises(InputError, match="share of the steps"):
        quiet(model, endless(), steps=10, warmup=1)


def test_two_players_reach_the_solution_of_their_game():
    model = Duel()
    check_model(model, torch.zeros(4, 1))
    history = quiet(model, iter(lambda: torch.zeros(4, 1), None), steps=300, lr=0.05)
    assert model.a.abs() < 0.02 and model.b.abs() < 0.02
    assert set(history.values) == {"min/loss", "max/loss"}


def test_interrupt_keeps_what_was_reached():
    def interrupted():
        for i, batch in enumerate(endless()):
            if i == 7:
                raise KeyboardInterrupt
            yield batch

    history = quiet(Line(), interrupted(), steps=100)
    assert history.interrupted and history.steps == 7 and "interrupted" in repr(history)


def test_loss_that_is_not_finite_stops_with_a_sentence_before_it_moves_anything():
    model = Line()

    def poisoned():
        for i, (x, y) in enumerate(endless()):
            yield x, y * (float("nan") if i == 3 else 1)

    with pytest.raises(
        TrainingStopped, match="loss should be finite, got nan at step 3"
    ) as stopped:
        quiet(model, poisoned(), steps=10)
    assert stopped.value.history.steps == 3
    assert model.w.isfinite()


@pytest.mark.parametrize(
    ("terms", "kind", "words"),
    [
        (
            {"loss": torch.tensor(1.0)},
            InputError,
            r"one value per example, shape \(5,\), got a scalar",
        ),
        ({"loss": torch.zeros(5, 2)}, InputError, r"got shape \(5, 2\)"),
        ({"loss": 1.0}, InputError, "got float 1.0"),
        (torch.zeros(5), InputTypeError, 'a dict with the key "loss"'),
        ({"elbo": torch.zeros(5)}, InputTypeError, 'Return {"loss"'),
        (
            {"loss": torch.zeros(5), "kl": torch.zeros(())},
            InputError,
            "'kl' should have one value per example",
        ),
    ],
)
def test_wrong_results_of_a_loss_get_one_sentence(terms, kind, words):
    with pytest.raises(kind, match=words):
        require_terms(terms, 5)


def test_check_model_names_what_is_wrong():
    x, y = torch.randn(4, 1), torch.randn(4, 1)
    check_model(Line(), (x, y))

    class Unused(Line):
        def __init__(self):
            super().__init__()
            self.spare = nn.Parameter(torch.zeros(2))

    class Detached(Line):
        def loss(self, x, y):
            return {"loss": super().loss(x, y)["loss"].detach()}

    class Restless(Line):
        def loss(self, x, y):
            with torch.no_grad():
                self.w += 1
            return super().loss(x, y)

    for model, words in (
        (Unused(), "spare"),
        (Detached(), "no_grad or detach"),
        (Restless(), "leave the parameters"),
    ):
        with pytest.raises(InputError, match=words):
            check_model(model, (x, y))
    with pytest.raises(InputTypeError, match=r"nn\.Module"):
        check_model(lambda x: x, x)
    with pytest.raises(InputError, match="at least two"):
        check_model(Line(), (x[:1], y[:1]))


def test_history_answers_in_a_sentence():
    with pytest.raises(InputError, match="term should be one of loss, got 'los'"):
        History({"loss": [1.0]})["los"]
    with pytest.raises(InputError, match="steps should be at least 1"):
        quiet(Line(), endless(), steps=0)


def test_course_errors_show_the_learners_line_and_no_frame_of_ours():
    try:
        require_terms({}, 3)
    except InputTypeError as error:
        shown = error._render_traceback_()
    assert (
        len(shown) == 2
        and shown[0].endswith("require_terms({}, 3)")
        and shown[1].startswith("InputTypeError: loss: ")
    )


def loader(*tensors, batch_size=4, **options):
    return DataLoader(TensorDataset(*tensors), batch_size, **options)


def test_what_a_dataloader_gives_is_trained_on():
    """Its batches are lists; those of one tensor are lists of one."""
    x = torch.rand(8, 1, 8, 8)
    model = VAE(2, 16, (1, 8, 8))
    assert quiet(model, loader(x), steps=2).steps == 2
    check_model(model, next(iter(loader(x))))
    check_model(Line(), [torch.randn(4, 1), torch.randn(4, 1)])
    conditional = ConditionalVAE(2, latent_dim=2, hidden=16, image_shape=(1, 8, 8))
    assert quiet(conditional, loader(x, torch.arange(8) % 2), steps=2).steps == 2
    game = GAN(*(made(num_classes=2) for made in small_networks()))
    assert quiet(game, loader(x, torch.arange(8) % 2), steps=2).steps == 2


def small_networks(shape=(1, 8, 8)):
    """The makers of a small generator and its discriminator."""
    return partial(Generator, 4, 4, shape), partial(Discriminator, 4, shape)


class Plain(nn.Sequential):
    """A learner's own generator: takes codes only."""

    latent_dim = 2


def models_of_images():
    """Models whose loss takes images alone."""
    yield VAE(2, 16, (1, 8, 8))
    yield Autoencoder(2, 16, (1, 8, 8))
    yield PixelCNN(image_shape=(1, 8, 8), channels=8, layers=1)
    yield GAN(*(made() for made in small_networks()))
    yield GAN(
        Plain(nn.Linear(2, 64), nn.Unflatten(1, (1, 8, 8))),
        Plain(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0)),
    )


@pytest.mark.parametrize("model", list(models_of_images()), ids=lambda m: type(m).__name__)
def test_more_parts_than_a_loss_takes_are_a_sentence(model):
    x, y = torch.rand(8, 1, 8, 8), torch.arange(8)
    for train in (
        lambda: quiet(model, minibatches(x, y, batch_size=4, seed=0), steps=1),
        lambda: quiet(model, loader(x, y), steps=1),
        lambda: check_model(model, [x, y]),
    ):
        with pytest.raises(InputError, match=r"batches should hold x alone, .*got 2 parts"):
            train()


def test_noise_is_no_part_of_a_batch():
    """Labels were once taken for the noise of the model whose loss has an argument eps."""
    with pytest.raises(InputError, match="x alone"):
        check_model(LinearGaussianVAE(3, 2), (torch.randn(4, 3), torch.randn(4, 2)))


def test_fewer_parts_than_a_loss_takes_are_a_sentence():
    x = torch.rand(8, 1, 8, 8)
    conditional = ConditionalVAE(2, latent_dim=2, hidden=16, image_shape=(1, 8, 8))
    with pytest.raises(InputError, match=r"batches should hold x and y, .*got 1 part"):
        quiet(conditional, loader(x), steps=1)
    game = GAN(*(made(num_classes=2) for made in small_networks()))
    with pytest.raises(InputError, match="x and labels y"):
        quiet(game, loader(x), steps=1)


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        ([{"x": torch.zeros(4, 1), "y": torch.zeros(4, 1)}], "got a dict with 'x', 'y'"),
        ([(torch.zeros(4, 1), ["a", "b"])], "part 1 of a batch should be a torch.Tensor, got list"),
        ([np.zeros((4, 1))], "a batch should be a torch.Tensor, got ndarray"),
        ([()], "should hold x at least"),
        (TensorDataset(torch.zeros(4, 1), torch.arange(4)), "one row per example, got a scalar"),
        (torch.zeros(4, 1), "batches should be an iterable of batches, got shape"),
        (7, "batches should be an iterable of batches, got int 7"),
    ],
)
def test_what_is_no_batch_is_a_sentence(batches, words):
    with pytest.raises((InputError, InputTypeError), match=words):
        quiet(Line(), batches, steps=1)


def test_batches_that_end_early_are_told():
    x = torch.randn(20, 1)
    with pytest.warns(UserWarning, match="batches ended after 5 of 1,000 steps") as told:
        history = quiet(Line(), loader(x, x), steps=1000)
    assert told[0].filename == __file__  # the learner's own line
    assert history.steps == 5 and "5 of 1,000 steps" in repr(history)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert repr(quiet(Line(), loader(x, x), steps=5)).startswith("History(5 steps; mean")


def test_no_batch_at_all_is_an_error():
    used_up = iter([(torch.zeros(4, 1), torch.zeros(4, 1))])
    quiet(Line(), used_up, steps=1)
    for none in (used_up, [], loader(torch.zeros(3, 1), torch.zeros(3, 1), drop_last=True)):
        with pytest.raises(InputError, match="should yield 3 batches, got none"):
            quiet(Line(), none, steps=3)


def test_history_of_nothing_says_so():
    assert repr(History()) == "History(0 steps)"
    with pytest.raises(InputError, match="nothing was: no step was made"):
        History().last()


# a training within a budget of seconds


def test_what_goes_along_with_a_timed_training_sees_each_step_before_it_is_taken():
    """The benchmarks turn a prior or another loss on at a share of the steps."""
    seen = []

    def along(model, share):
        seen.append((share, model.w.item()))

    line, _, steps = train_within(Line, endless, 0.3, 0, along, lr=0.01)
    shares = [share for share, _ in seen[-steps:]]
    assert shares == pytest.approx([step / steps for step in range(steps)])
    weights = [w for _, w in seen[-steps:]]
    assert weights[0] == 0.0 and len(set(weights)) > 1 and weights[-1] != line.w.item()
