"""Exercise on the levels of a discrete schedule."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models.diffusion import alpha_bars


def schedule_reference(betas):
    """{"alpha", "sigma", "snr"}, each (T + 1,), of betas (T,): entry n after n steps of noise."""
    bars = alpha_bars(betas)
    return {"alpha": bars.sqrt(), "sigma": (1 - bars).sqrt(), "snr": bars / (1 - bars)}


@exercise(
    reference=schedule_reference,
    difficulty=1,
    minutes=8,
    points=3,
    hints=(
        "One step multiplies the signal by √(1 - β). And two steps?",
        "Before the first step there is no noise at all: which α, which σ belongs in front?",
        "ᾱ = α² is a product of numbers 1 - β: torch.cumprod.",
    ),
    on_success=(
        "Look at the last entry of snr: a sampler that starts at pure noise takes it for 0."
    ),
)
def schedule(answer, seed):
    betas = 0.05 + 0.4 * draw(seed, 5).sigmoid()
    yield "the levels of five steps", answer(betas)
    yield "the levels of a single step", answer(betas[:1])
    yield "the levels of 300 steps", answer(torch.linspace(0.01, 0.03, 300, dtype=torch.float64))
    yield "the levels of betas that fall", answer(betas.sort(descending=True).values)


@schedule.alternative
def by_a_loop(betas):
    bars = [betas.new_ones(())]
    for beta in betas:
        bars = [*bars, bars[-1] * (1 - beta)]
    bar = torch.stack(bars)
    return dict(alpha=bar**0.5, sigma=(1 - bar) ** 0.5, snr=1 / (1 - bar) - 1)


@schedule.alternative
def by_logarithms(betas):
    alpha = torch.nn.functional.pad((0.5 * torch.log1p(-betas).cumsum(0)).exp(), (1, 0), value=1.0)
    sigma = torch.sqrt(1 - alpha.square())
    return {"snr": (alpha / sigma) ** 2, "alpha": alpha, "sigma": sigma}


def levels(bars, alpha=None, sigma=None, snr=None):
    """The three by name, from ᾱ where no other function of it is given."""
    return {
        "alpha": (alpha or torch.sqrt)(bars),
        "sigma": (sigma or (lambda b: (1 - b).clamp_min(0).sqrt()))(bars),
        "snr": (snr or (lambda b: b / (1 - b)))(bars),
    }


def in_front(values):
    """1 and then the values."""
    return torch.cat([torch.ones_like(values[:1]), values])


@schedule.mistake(
    "σ and snr are right. ᾱ is the share of the variance that is signal: what multiplies x?"
)
def bar_for_alpha(betas):
    return levels(alpha_bars(betas), alpha=lambda b: b)


@schedule.mistake("α and snr are right. 1 - ᾱ is the noise's variance. What multiplies ε?")
def variance_for_sigma(betas):
    return levels(alpha_bars(betas), sigma=lambda b: 1 - b)


@schedule.mistake(
    "α and snr are right. α + σ = 1 holds on the linear path. Which sum is 1 where each step "
    "preserves the variance?"
)
def sigma_of_the_linear_path(betas):
    return levels(alpha_bars(betas), sigma=lambda b: 1 - b.sqrt())


@schedule.mistake("α and σ are right. The ratio is one of powers, α² over σ²: is yours α over σ?")
def ratio_of_amplitudes(betas):
    return levels(alpha_bars(betas), snr=lambda b: (b / (1 - b)).sqrt())


@schedule.mistake("α and σ are right. Is it signal over noise, or noise over signal?")
def noise_to_signal(betas):
    return levels(alpha_bars(betas), snr=lambda b: (1 - b) / b)


@schedule.mistake(
    "α and σ are right. The logarithm of the ratio has its uses. Which one does the text ask for?"
)
def logarithm_of_the_ratio(betas):
    return levels(alpha_bars(betas), snr=lambda b: (b / (1 - b)).log())


@schedule.mistake("The T levels after the steps are right. Where are the data, before all steps?")
def data_left_out(betas):
    return levels(alpha_bars(betas)[1:])


@schedule.mistake(
    "The entry without noise stands at the end. x_0 is data: at which end of the list is that?"
)
def padded_at_the_end(betas):
    return levels(alpha_bars(betas).roll(-1))


@schedule.mistake(
    "You multiplied the betas. β is the noise's share: what is left of the signal's variance after "
    "one step?"
)
def product_of_betas(betas):
    return levels(in_front(betas.cumprod(0)))


@schedule.mistake(
    "Each entry knows its own step alone. What has happened to the signal in the steps before?"
)
def single_steps(betas):
    return levels(in_front(1 - betas))


@schedule.mistake(
    "You summed the betas. The second step also makes the noise of the first smaller: do shares "
    "add, or multiply?"
)
def sum_of_betas(betas):
    return levels(in_front((1 - betas.cumsum(0)).clamp_min(0)))


@schedule.mistake(
    "The list begins with noise and ends with data. Entry n belongs to x after n steps: which way "
    "does n go?"
)
def in_reverse(betas):
    return levels(alpha_bars(betas).flip(0))


@schedule.mistake(
    "Each α is squared once too often, or each β counted twice: the signal's *variance* keeps the "
    "share 1 - β in a step. And its size?"
)
def shares_taken_for_factors(betas):
    alpha = alpha_bars(betas)
    return {"alpha": alpha, "sigma": (1 - alpha**2).sqrt(), "snr": alpha**2 / (1 - alpha**2)}
