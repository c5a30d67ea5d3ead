"""How checks speak: diagnoses, hints, strict mode, and answers that nobody foresaw."""

import math
import re

import numpy as np
import pytest
import torch

from gencourse.checks import autoregressive, draw, exercise, report
from gencourse.checks import vae as check
from gencourse.checks._trial import Value
from gencourse.checks._values import agree, describe_value, difference, exact
from gencourse.checks._verdict import BADGES, CheckFailed
from gencourse.models import vae as m
from gencourse.runner import Opaque, plain, run


@pytest.fixture(autouse=True)
def lenient(monkeypatch):
    monkeypatch.setenv("GENCOURSE_STRICT", "0")


def kl(mu, logvar):
    return m.kl_to_standard_normal(mu, logvar)


# wrong in ways that no mistake is registered for: what the plain diagnosis has to mention
UNFORESEEN = {
    "raises": (lambda mu, logvar: mu @ logvar, "It raised RuntimeError"),
    "wrong name": (
        lambda mu, logvar: undefined_name,  # noqa: F821
        "NameError: name 'undefined_name' is not defined",
    ),
    "too many arguments": (lambda mu: mu, "TypeError"),
    "column": (lambda mu, logvar: kl(mu, logvar)[:, None], r"shape should be (5,), got (5, 1)"),
    "times three": (lambda mu, logvar: 3 * kl(mu, logvar), "3 times the expected"),
    "offset": (lambda mu, logvar: kl(mu, logvar) + 7, "off by the same +7"),
    "nan": (lambda mu, logvar: kl(mu, logvar) * float("nan"), "It holds NaN"),
    "text": (lambda mu, logvar: "kl", "got 'kl'"),
    "generator": (lambda mu, logvar: (x for x in mu), "object of type generator"),
    "no arguments": (lambda: 1, "TypeError"),
    "exits": (lambda mu, logvar: exit(), "SystemExit"),
}


@pytest.mark.parametrize("case", UNFORESEEN)
def test_unforeseen_answers_get_a_plain_diagnosis(case):
    answer, words = UNFORESEEN[case]
    verdict = check.kl_to_standard_normal(answer)
    assert verdict.status == "wrong" and verdict.points == 0 and not verdict.mistake
    assert words in verdict.message, verdict.message


def test_numpy_and_double_answers_count_by_their_values():
    assert (
        check.kl_to_standard_normal(lambda mu, logvar: kl(mu.double(), logvar.double())).status
        == "right"
    )
    assert check.kl_to_standard_normal(lambda mu, logvar: kl(mu, logvar).numpy()).status == "right"


def test_verdict_on_what_is_no_function():
    assert check.kl_to_standard_normal(None).status == "not attempted"
    verdict = check.kl_to_standard_normal(torch.zeros(5))
    assert verdict.status == "wrong" and "Pass the function itself" in verdict.message


HARMFUL = {  # a right value, obtained by harming others: what the verdict has to mention
    "argument": (lambda mu, logvar: (kl(mu, logvar), mu.zero_())[0], "it changes `mu`"),
    "seed": (
        lambda mu, logvar: (kl(mu, logvar), torch.manual_seed(1))[0],
        "sets the seed of torch",
    ),
    "dtype": (
        lambda mu, logvar: (kl(mu, logvar), torch.set_default_dtype(torch.float64))[0],
        "torch's default dtype",
    ),
    "graph": (
        lambda mu, logvar: (kl(mu, logvar), torch.set_grad_enabled(False))[0],
        "torch's gradient mode",
    ),
}


@pytest.mark.parametrize("case", HARMFUL)
def test_right_value_with_harm_is_wrong_and_the_harm_is_named_and_undone(case):
    answer, words = HARMFUL[case]
    state, grad = torch.random.get_rng_state(), torch.is_grad_enabled()
    verdict = check.kl_to_standard_normal(answer)
    assert verdict.status == "wrong" and words in verdict.message, verdict.message
    assert torch.equal(state, torch.random.get_rng_state())
    assert (torch.get_default_dtype(), torch.is_grad_enabled()) == (torch.float32, grad)


def test_answer_under_another_name_earns_nothing_and_is_told_why():
    def differently_named(mu, logvar):
        return kl(mu, logvar)

    verdict = check.kl_to_standard_normal(differently_named)
    assert (verdict.status, verdict.points) == ("right", 0)
    assert "No points yet" in verdict.message and "`kl_to_standard_normal`" in verdict.message
    assert (
        check.kl_to_standard_normal.judge(differently_named).points
        == check.kl_to_standard_normal.points
    )
    namespace = {"check": check, "kl_to_standard_normal": differently_named}
    exec("verdict = check.kl_to_standard_normal(kl_to_standard_normal)", namespace)
    assert namespace["verdict"].points == check.kl_to_standard_normal.points


def test_code_below_the_stubs_raise_is_told_that_it_never_runs():
    def below(mu, logvar):
        """The docstring that was handed out."""
        raise NotImplementedError()
        return kl(mu, logvar)

    def above(mu, logvar):
        kl(mu, logvar)
        raise NotImplementedError()

    assert "never runs" in check.kl_to_standard_normal(below).message
    assert "ends in" in check.kl_to_standard_normal(above).message
    assert check.kl_to_standard_normal(below).status == "not attempted"


def test_float64_is_a_remark():
    def through_float32(mu, logvar):
        return kl(mu.float(), logvar.float()).to(mu.dtype)

    verdict = check.kl_to_standard_normal.judge(through_float32)
    assert verdict.status == "right" and "float64" in verdict.message
    assert "float64" not in check.kl_to_standard_normal.judge(kl).message


def test_a_remark_ends_no_trial():
    """What is less exact in float64 is tried on, but float32 need not hold larger numbers."""

    def with_epsilon(mu, logvar):
        variance = logvar.exp() + (1e-30 if mu.dtype == torch.float64 else 0)
        return 0.5 * (mu**2 + variance - 1 - variance.log()).sum(1)

    def float32_of_fifty(mu, logvar):
        return kl(mu.float(), logvar.float())[:50]

    assert "larger batch" in check.kl_to_standard_normal.judge(float32_of_fifty).message
    assert "larger numbers" in check.kl_to_standard_normal.judge(with_epsilon).message


def test_a_result_in_float32_is_less_exact():
    def to_float32(h):
        return h.float().chunk(2, 1)

    verdict = check.split_heads.judge(to_float32)
    assert verdict.status == "right" and "float64" in verdict.message
    assert "float64" not in check.split_heads.judge(check.split_heads.reference).message


def test_python_numbers_keep_their_digits():
    def remark(one, answer):
        verdict = getattr(autoregressive, one).judge(answer)
        assert verdict.status == "right"
        return "float64" in verdict.message

    def floats(nll, counts):
        pairs = zip(nll.tolist(), counts.tolist(), strict=True)
        return math.exp(sum(cost * n for cost, n in pairs) / sum(counts.tolist()))

    assert not remark("perplexity", floats)
    assert remark(
        "perplexity", lambda nll, counts: float((nll.float() @ counts.float() / counts.sum()).exp())
    )
    # a Python number given: no float64 tensor was, so float32 tensors are as good as any
    assert not remark("bits_per_dim", lambda nll, dims: torch.as_tensor(nll / dims / math.log(2)))
    assert agree(1e300, 1e300, 1e-5, 0) and not agree(1e300, 2e300, 1e-5, 0)


def test_a_python_float_keeps_its_digits():
    third = torch.tensor(1.0, dtype=torch.float64) / 3
    assert exact(Value("", 1 / 3), Value("", third))
    assert not exact(Value("", float(third.float())), Value("", third))


def test_a_relation_is_said_only_where_it_holds():
    near = difference(torch.tensor([61.0, 62.5]), torch.tensor([56.0, 57.0]), 1e-4, 1e-5)
    assert "Every value" not in near
    near = difference(torch.zeros(3), torch.tensor([0.3333, 0.3333, 0.3325]), 1e-4, 1e-5)
    assert "Every value" not in near


def test_only_larger_batches_show_what_is_typed_in():
    def five_rows(mu, logvar):
        total = torch.zeros(5)
        for i in range(5):
            total[i] = kl(mu, logvar)[i]
        return total

    verdict = check.kl_to_standard_normal.judge(five_rows)
    assert (
        verdict.status == "wrong" and "IndexError" in verdict.message
    ) or "larger batch" in verdict.message


def test_verdict_does_not_depend_on_the_callers_modes():
    with torch.no_grad():
        torch.manual_seed(99)
        assert check.reparameterize(m.reparameterize).status == "right"
        assert check.vae_train_step(check.vae_train_step.reference).status == "right"


def test_mistakes_that_coincide_on_one_value_are_told_apart():
    """At logvar = 0 all readings of logvar agree; only a diagnosis over every value can tell them
    apart.
    """

    @exercise(reference=m.reparameterize, difficulty=1, minutes=1, points=1, hints=("think",))
    def toy(answer, seed):
        mu, eps = draw(seed, 2, 3, 2)
        yield "first", answer(mu, torch.zeros(3, 2), eps)
        yield "second", answer(mu, torch.ones(3, 2), eps)

    @toy.mistake("never")
    def noise_forgotten(mu, logvar, eps):
        return mu

    @toy.mistake("variance")
    def variance(mu, logvar, eps):
        return mu + logvar.exp() * eps

    assert toy.judge(lambda mu, logvar, eps: mu + logvar.exp() * eps).mistake == "variance"
    other = toy.judge(lambda mu, logvar, eps: mu + (1 + logvar) * eps)
    assert not other.mistake and "second" in other.message


def test_hints_say_more_step_by_step():
    wrong = next(x for x in check.kl_to_standard_normal.mistakes if x.name == "sign_reversed")
    check.kl_to_standard_normal(wrong.answer)
    said = [str(check.kl_to_standard_normal.hint()) for _ in range(5)]
    assert said[0].startswith(wrong.more) and said[1].startswith(
        check.kl_to_standard_normal.hints[0]
    )
    assert "solutions notebook" in said[4] and len(set(said)) == 5


@pytest.mark.parametrize(
    "one", [pytest.param(e, id=e.name) for e in vars(check).values() if hasattr(e, "mistakes")]
)
def test_hints_do_not_give_the_answer_away(one):
    """No hint holds a line of the reference's code: hints ask or point."""
    code = (
        "torch.logsumexp",
        "(0.5 * logvar).exp() * eps",
        "logvar.exp() - 1 - logvar",
        ".sum(1)",
        "zero_grad()",
        "torch.randn(",
    )
    for hint in (*one.hints, *(x.hint for x in one.mistakes), *(x.more for x in one.mistakes)):
        assert not any(line in hint for line in code), hint


def test_strict_mode_raises_unless_right(monkeypatch):
    monkeypatch.setenv("GENCOURSE_STRICT", "1")
    assert check.kl_to_standard_normal(kl).status == "right"
    for answer in (lambda mu, logvar: -kl(mu, logvar), UNFORESEEN["raises"][0], None):
        with pytest.raises(CheckFailed):
            check.kl_to_standard_normal(answer)


def test_report_judges_afresh_and_ignores_the_past():
    check.kl_to_standard_normal(kl)
    table = report(check, {"kl_to_standard_normal": lambda mu, logvar: -kl(mu, logvar)})
    assert table.points == 0
    table = report(check, {"kl_to_standard_normal": kl, "reparameterize": m.reparameterize})
    assert table.points == 5 and f"5 / {table.out_of}" in str(table)


def test_html_is_escaped_and_says_the_verdict_in_words():
    def raises(mu, logvar):
        raise ValueError("<script>alert(1)</script>")

    shown = check.kl_to_standard_normal(raises)._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "✗ wrong" in shown
    assert "not attempted" in report(check, {})._repr_html_()


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.1."""
    digits = colour.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("status", BADGES)
def test_letters_are_readable_in_light_and_dark(status):
    """A badge has its own background; what lies outside of badges takes the page's colour."""
    light, dark = luminance("#fff") + 0.05, luminance(BADGES[status]) + 0.05
    assert light / dark >= 4.5
    outside = re.sub(r"<b style='background.*?</b>", "", report(check, {})._repr_html_())
    assert not re.search(r"(?<!-)color:", outside)


def test_values_agree_by_structure_shape_and_tolerance():
    one = torch.ones(2)
    for a, b in (
        (1, torch.tensor(1.0)),
        ([one, 2], [one, 2.0]),
        ({"a": one}, {"a": one}),
        (None, None),
        (True, torch.tensor(True)),
    ):
        assert agree(plain(a), plain(b), 1e-5, 1e-6)
    for a, b in (
        (one, torch.ones(2, 1)),
        ([one], [one, one]),
        ({"a": 1}, {"b": 1}),
        ("x", "y"),
        (None, 0),
        (one, one * 1.1),
    ):
        assert not agree(plain(a), plain(b), 1e-5, 1e-6)
    assert (
        plain(np.float32(2)).item() == 2
        and plain(torch.Size([2, 3])) == [2, 3]
        and plain(object()) == Opaque("object")
    )
    assert "sign" in difference(-torch.arange(3.0), torch.arange(3.0), 1e-5, 1e-6)


def test_infinities_that_are_asked_for_are_not_blamed():
    """Where the wanted values are finite an infinity is worth a word; where they are not, the first
    place that differs is.
    """
    inf, want = float("inf"), torch.tensor([[3.0, -float("inf"), 2.0]])
    said = difference(torch.tensor([[3.0, -inf, -inf]]), want, 1e-5, 1e-6)
    assert "holds" not in said and "At [0, 2] it should be 2, got -inf." in said
    assert "At [0, 1] it should be -inf, got 0." in difference(
        torch.tensor([[3.0, 0.0, 2.0]]), want, 1e-5, 1e-6
    )
    assert "At [0, 0] it should be 3, got nan." in difference(
        torch.tensor([[float("nan"), -inf, 2.0]]), want, 1e-5, 1e-6
    )
    assert "It should be inf, got 1" in difference(1.0, inf, 1e-5, 1e-6)
    assert "It holds an infinity" in difference(want, torch.zeros(1, 3), 1e-5, 1e-6)


def raiser(error):
    def answer(mu, logvar):
        raise error

    return answer


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError


ODD = {
    "unprintable": raiser(Unprintable()),
    "endless text": raiser(ValueError("x" * 100_000)),
    "generator exit": raiser(GeneratorExit()),
    "not implemented inside torch": lambda mu, logvar: torch.distributions.kl_divergence(
        torch.distributions.Cauchy(0, 1), torch.distributions.Gumbel(0, 1)
    ),
    "sparse": lambda mu, logvar: kl(mu, logvar).to_sparse(),
    "complex": lambda mu, logvar: kl(mu, logvar) + 1j,
    "meta": lambda mu, logvar: kl(mu, logvar).to("meta"),
    "huge integer": lambda mu, logvar: 10**30,
    "nested": lambda mu, logvar: torch.nested.nested_tensor([kl(mu, logvar)]),
    "subclass": lambda mu, logvar: type("Yes", (torch.Tensor,), {"__eq__": lambda a, b: True})(
        kl(mu, logvar)
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", ODD)
def test_odd_answers_are_wrong_and_crash_nothing(case):
    verdict = check.kl_to_standard_normal(ODD[case])
    assert verdict.status == "wrong" and len(verdict.message) < 2000


def test_verdict_does_not_depend_on_the_default_dtype_or_device():
    right, wrong = check.gaussian_log_density.reference, check.gaussian_log_density.mistakes[0]
    for dtype, some in ((torch.float32, EXERCISES[::6]), (torch.float64, EXERCISES[::2])):
        torch.set_default_dtype(dtype)
        try:
            assert all(check_one.judge(check_one.reference).status == "right" for check_one in some)
            assert check.gaussian_log_density.judge(right).status == "right"
            assert check.gaussian_log_density.judge(wrong.answer).mistake == wrong.name
            assert torch.get_default_dtype() == dtype
        finally:
            torch.set_default_dtype(torch.float32)


def test_old_trial_is_told_the_new_form():
    with pytest.raises(TypeError, match=r"should take `answer`.*write answer"):

        @exercise(reference=kl, difficulty=1, minutes=1, points=1)
        def toy(ask, seed):
            yield "the divergence", ask("toy(mu)", mu=1)


def test_points_and_values_are_counted_in_english():
    assert describe_value([1.0, [2, 3]]) == "[1, [2, 3]]"
    assert describe_value({"a": [1, 2]}) == "{a: [1, 2]}"
    one = exercise(reference=kl, difficulty=1, minutes=1, points=1)(lambda answer, seed: iter(()))
    assert "about 1 minute, 1 point." in repr(one)


def test_where_heads_look_alike_the_place_that_differs_is_shown():
    want = torch.arange(12.0).view(3, 4)
    got = want.clone()
    got[2, 1] += 5
    said = difference(got, want, 1e-4, 1e-5)
    assert "At [2, 1] it should be 9, got 14" in said
    said = difference(torch.tensor(1.0001), torch.tensor(1.0), 1e-6, 1e-6)
    assert "1.0001" in said
    assert difference(False, True, 1e-4, 1e-5) == "Expected yes, found no."


EXERCISES = [value for value in vars(check).values() if hasattr(value, "mistakes")]
NEARLY = {  # plausible answers that an earlier form of the trials let through
    "one shift for the batch": (
        "importance_weighted_bound",
        lambda log_w: log_w.mean(0) + (log_w - log_w.mean(0)).exp().mean(0).log(),
    ),
    "log of sigmoids": (
        "bernoulli_log_likelihood",
        lambda logits, x: (
            (x * logits.sigmoid().log() + (1 - x) * (-logits).sigmoid().log()).flatten(1).sum(1)
        ),
    ),
    "784 typed in": (
        "repair_7",
        lambda r, k, pixels: check.repair_7.reference(r, k, 784),
    ),
    "arguments exchanged": (
        "repair_5",
        lambda output, x, r, k: r(x, output[0]) + k(*output[1:]),
    ),
    "product of densities": (
        "gaussian_log_density",
        lambda x, mu, v: (
            torch.distributions.Normal(mu, (v / 2).exp()).log_prob(x).exp().prod(1).log()
        ),
    ),
    "root of the threshold": (
        "active_units",
        lambda mu, threshold=0.01: mu.var(0) > threshold**0.5,
    ),
    "one coordinate for all": (
        "sample_prior",
        lambda decoder, n, D, generator: (
            decoder.eval()(torch.randn(n, 1, generator=generator).expand(n, D)).sigmoid().detach()
        ),
    ),
}


@pytest.mark.parametrize("case", NEARLY)
def test_answers_that_are_nearly_right_are_wrong(case):
    name, answer = NEARLY[case]
    assert getattr(check, name).judge(answer).status == "wrong"


def test_suspects_does_not_give_the_answer_away():
    for named in (
        {"posterior", "kl"},
        {"posterior", "kl", "generate", "report_card", "step_loss"},
        {"posterior", "typo"},
    ):
        message = check.suspects.judge(lambda named=named: named).message
        assert not any(f"'{piece}'" in message for piece in check.suspects.reference() - named), (
            message
        )


def test_numpy_inside_is_fine_where_no_gradient_is_asked_for():
    def by_numpy(x, mu, logvar):
        x, mu, logvar = (t.numpy() for t in (x, mu, logvar))
        return (-0.5 * (np.log(2 * np.pi) + logvar + (x - mu) ** 2 / np.exp(logvar))).sum(1)[::-1][
            ::-1
        ]

    assert check.gaussian_log_density.judge(by_numpy).status == "right"


def test_kinds_that_were_taken_for_one_another_are_named():
    want = torch.tensor([1.0, 2.0])
    said = difference([1.0, 2.0], want, 1e-4, 1e-5)
    assert "be a tensor: [1, 2] with shape (2,), got a collection of 2: [1, 2]" in said
    said = difference(torch.tensor([0.3, 2.0]), want > 1, 1e-4, 1e-5)
    assert said.startswith("It should hold truth values, got numbers")
    assert "be a dict: {a: 1}, got the number 2" in difference(2, {"a": 1}, 1e-4, 1e-5)


def test_a_ratio_is_said_only_where_it_is_no_accident():
    want = torch.tensor([4.0, 4.1, 3.9, 4.05])
    assert "times" not in difference(want - 0.01, want, 1e-4, 1e-5)
    assert "0.5 times" in difference(want / 2, want, 1e-4, 1e-5)
    # a floor under numbers that are nearly one number
    nearly = torch.tensor([-998.8, -998.4, -1000.0, -1000.1])
    said = difference(torch.full((4,), -69.08), nearly, 1e-4, 1e-5)
    assert "times" not in said and "same" not in said, said
    assert "off by the same +7" in difference(nearly + 7, nearly, 1e-4, 1e-5)
    assert "0.5 times" in difference(nearly / 2, nearly, 1e-4, 1e-5)


def test_what_the_rest_of_a_program_stumbled_over_is_said():
    def probe(answer):
        return answer(torch.ones(2)) + None

    said = run(probe, lambda x: x, (), {}).value.message
    assert "a tensor of shape (2,)" in said and "TypeError: unsupported operand" in said
    said = run(probe, lambda x: None, (), {}).value.message
    assert said.startswith("It returned None") and said.endswith("end with `return`?")
