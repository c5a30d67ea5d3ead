"""The loop, its contract, and what it does when something goes wrong."""

import pytest
import torch
from torch import nn

from gencourse.errors import InputError, InputTypeError, TrainingStopped
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
