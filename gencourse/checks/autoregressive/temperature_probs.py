"""Exercise on the temperature of a distribution."""

import math

import torch

from gencourse.checks import draw, exercise
from gencourse.models import autoregressive
from gencourse.probes.autoregressive.arguments import unchanged
from gencourse.probes.autoregressive.filters import kind_of_probabilities, mass_together


@exercise(
    reference=autoregressive.temperature_probs,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        (
            "At T = 2 probabilities of ½, 3/10 and 1/5 become proportional to their square roots. "
            "Does yours do that?"
        ),
        "What enters the softmax, and what leaves it? T belongs to the first.",
        "T = 0 cannot be divided by. Which token is left when T gets smaller and smaller?",
    ),
    exempt={"more examples": "the further rows come nearer to a tie than the text lets expect"},
    on_success=(
        "Low temperatures sharpen, high ones flatten, and the order of the tokens stays. T = 1 is "
        "what the model believes."
    ),
)
def temperature_probs(answer, seed):
    known = torch.tensor([0.5, 0.3, 0.2]).log()
    logits = 2 * draw(seed, 2, 3, 5) + 1
    closed = logits - 4
    closed[..., 2] = -math.inf

    yield "the distribution 0.5, 0.3, 0.2 at T = 2", answer(known, 2.0)
    yield "the distribution 0.5, 0.3, 0.2 at T = 1, where nothing changes", answer(known, 1.0)
    yield "the distributions for logits (2, 3, 5) at T = 0.5", answer(logits, 0.5)
    yield "the distributions for logits (4, 4) at T = 1.7", answer(draw(seed + 1, 4, 4), 1.7)
    yield (
        "whether the logits are after the call at T = 3 as before",
        answer.run(unchanged, logits, 3.0),
    )
    for T in (0.5, 0):
        yield f"what is returned at T = {T:g}", answer.run(kind_of_probabilities, logits, T)
    for T in (2.0, 1.0, 10**9, 0.0):
        yield f"the distributions at T = {T:,.10g} when one logit is -∞", answer(closed, T)
    said = "the distributions for logits of some"
    yield f"{said} hundred at T = 0.01", answer(200 * draw(seed + 2, 3, 5), 0.01)
    yield f"{said} hundred at T = 60", answer(200 * draw(seed + 3, 3, 5) - 300, 60)
    yield f"{said} thousand at T = 1000", answer(3000 * draw(seed + 4, 2, 6), 1e3)
    yield "the distribution 0.5, 0.3, 0.2 at T = 0.004", answer(known, 0.004)
    for T in (0.08, 0.005, 0.0005, 0.00009, 1e6):  # cold ones in float64, where rounding is small
        said = f"the distribution for logits of about ±{T:,.10g} at T = {T:,.10g}"
        yield said, answer(T * draw(seed + 5, 6).double(), T)
    close = torch.tensor([[1.0, 2.0, 2.001, -1.0], [0.5, 0.0, -7.0, 0.499]])
    yield "the distributions at T = 0, two logits only 0.001 apart", answer(close, 0.0)
    closer = torch.tensor([0.0, 1e-6, -1.0])
    yield "the distribution at T = 0, two logits only a millionth apart", answer(closer, 0)
    digit = 3 + torch.tensor([1.0, 2.0, -5.0]) / 2**22  # in float32 no number lies between them
    yield "the distribution at T = 0, two logits that differ in their last digit", answer(digit, 0)
    yield "the distributions for logits (2, 3, 5) at T = 0", answer(logits, 0)
    yield "the distribution at T = 0 for logits of a billion", answer(1e9 * draw(seed + 6, 4), 0)
    yield (
        "whether the logits are after the call at T = 0 as before",
        answer.run(unchanged, logits, 0),
    )
    tied = torch.tensor([[1.5, 0.0, 1.5, -2.0], [-3.0, -4.0, -3.0, -3.5]])
    yield "T = 0, two equal largest logits", answer.run(mass_together, tied, 0, [0, 2])


@temperature_probs.alternative
def as_a_power_of_p(logits, T):
    if T == 0:
        return torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).double()
    powers = logits.log_softmax(-1) / T
    powers = (powers - powers.amax(-1, keepdim=True)).exp()
    return powers / powers.sum(-1, keepdim=True)


@temperature_probs.alternative
def by_a_tiny_temperature(logits, T):
    return torch.softmax((logits - logits.max(dim=-1, keepdim=True).values) / max(T, 1e-8), dim=-1)


@temperature_probs.alternative
def ties_shared(logits, T):
    top = (logits == logits.amax(-1, keepdim=True)).float()
    return (logits / T).softmax(-1) if T > 0 else top / top.sum(-1, keepdim=True)


def one_hot(logits):
    """1 at the largest logit of each row."""
    return torch.zeros_like(logits).scatter_(-1, logits.argmax(-1, keepdim=True), 1.0)


@temperature_probs.mistake(
    "T divides probabilities, and a softmax is taken of those: even T = 1 changes the "
    "distribution then. What should T divide?"
)
def softmax_of_probabilities(logits, T):
    return one_hot(logits) if T == 0 else (logits.softmax(-1) / T).softmax(-1)


@temperature_probs.mistake(
    "A softmax of probabilities: even T = 1 changes the distribution then. What should T divide? "
    "(And T = 0 still divides by zero.)"
)
def softmax_of_probabilities_without_zero(logits, T):
    return (logits.softmax(-1) / T).softmax(-1)


@temperature_probs.mistake(
    "Your probabilities add up to 1/T. What should be divided: what enters the softmax, or what "
    "leaves it?"
)
def probabilities_divided(logits, T):
    return one_hot(logits) if T == 0 else logits.softmax(-1) / T


@temperature_probs.mistake(
    "Your probabilities add up to 1/T, and T = 0 divides by zero. What should be divided: what "
    "enters the softmax?"
)
def probabilities_divided_without_zero(logits, T):
    return logits.softmax(-1) / T


@temperature_probs.mistake(
    "T changes nothing in your answer: what is divided after the softmax is normalised away "
    "again. Where does T belong?"
)
def probabilities_divided_and_normalised(logits, T):
    p = logits.softmax(-1)
    return one_hot(logits) if T == 0 else p


@temperature_probs.mistake("T = 2 makes your distribution sharper. Is a hot one sharp or flat?")
def multiplied(logits, T):
    return one_hot(logits) if T == 0 else (logits * T).softmax(-1)


@temperature_probs.mistake(
    "T = 2 makes your distribution sharper, and T = 0 uniform. Is a hot one sharp or flat?"
)
def multiplied_everywhere(logits, T):
    return (logits * T).softmax(-1)


@temperature_probs.mistake(
    "NaN at T = 0. Nothing can be divided by 0: which distribution is left when T goes there?"
)
def division_by_zero(logits, T):
    return (logits / T).softmax(-1)


@temperature_probs.mistake(
    "At T = 0 you return the distribution as it was. Which token has all the mass in the limit?"
)
def zero_taken_for_one(logits, T):
    return (logits / (T or 1.0)).softmax(-1)


@temperature_probs.mistake(
    "At T = 0 your distribution is flat, as if T were infinite. Follow T from 1 to ½ to ¼: which "
    "token gains?"
)
def zero_taken_for_infinity(logits, T):
    return torch.full_like(logits, 1 / logits.shape[-1]) if T == 0 else (logits / T).softmax(-1)


@temperature_probs.mistake(
    "An index came back at T = 0, not a distribution. How is `all the mass on that token` written?"
)
def place_for_a_distribution(logits, T):
    return logits.argmax(-1) if T == 0 else (logits / T).softmax(-1)


@temperature_probs.mistake(
    "At T = 0 two logits that are 0.001 apart share the mass. The small number that stands in for "
    "0 is not small enough."
)
def floor_too_high(logits, T):
    return (logits / max(T, 1e-3)).softmax(-1)


@temperature_probs.mistake(
    "The distributions are right, but the logits that you were given have changed. Which "
    "operation works in place?"
)
def logits_changed(logits, T):
    if T == 0:
        return one_hot(logits)
    logits /= T
    return logits.softmax(-1)


@temperature_probs.mistake(
    "NaN where logits are large: exp(100) is beyond float32. Which function of torch takes care "
    "of that?"
)
def exponentials_overflow(logits, T):
    if T == 0:
        return one_hot(logits)
    e = (logits / T).exp()
    return e / e.sum(-1, keepdim=True)


@temperature_probs.mistake(
    "NaN when it is cold: 0.5 to the power of 250 is 0 in float32, and so is the sum. What can be "
    "divided before the softmax?"
)
def powers_underflow(logits, T):
    powers = one_hot(logits) if T == 0 else logits.softmax(-1) ** (1 / T)
    return powers / powers.sum(-1, keepdim=True)


@temperature_probs.mistake(
    "At T = 0 each of two equal logits gets the mass 1. How much is there to share?"
)
def one_for_each_tie(logits, T):
    return (logits == logits.amax(-1, keepdim=True)).float() if T == 0 else (logits / T).softmax(-1)


@temperature_probs.mistake(
    "The sums that are 1 run over the wrong dimension. Where is the vocabulary, in (V,) as in (B, "
    "T, V)?"
)
def first_dimension(logits, T):
    return one_hot(logits) if T == 0 else (logits / T).softmax(0)


@temperature_probs.mistake(
    "These are log-probabilities, or logits. What turns them into probabilities?"
)
def logarithms_returned(logits, T):
    return one_hot(logits).log() if T == 0 else (logits / T).log_softmax(-1)
