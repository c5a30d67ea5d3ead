"""Exercise on a deterministic step."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models import diffusion
from gencourse.probes.general import gradients


@exercise(
    reference=diffusion.ddim_step,
    difficulty=1,
    minutes=6,
    points=3,
    hints=(
        "If x̂ were the data, which noise would have made x_t of it?",
        "Keep the data and the noise, and mix them anew for the level at the end.",
        "At σ' = 0 no noise is left: what should the step return there?",
    ),
    on_success=(
        "This is DDIM at η = 0, Euler's step of the ODE. It is exact if the data are one point."
    ),
)
def ddim_step(answer, seed):
    x_t, x_hat = draw(seed, 2, 4, 3)
    preserving = ((0.6, 0.8), (0.8, 0.6))
    yield "a step where α² + σ² = 1", answer(x_t, 2 * x_hat, *preserving)
    yield "a step of flow matching", answer(x_t, x_hat, (0.3, 0.7), (0.55, 0.45))
    yield "a step from σ = 9 to 2.5 at α = 1", answer(9 * x_t, x_hat, (1.0, 9.0), (1.0, 2.5))
    late = answer(x_t, 3 * x_hat, (0.9999, 0.012), (0.99999, 0.003))
    yield "a late step, with hardly any noise", late
    yield "the last step, to σ = 0", answer(x_t, 3 * x_hat, (0.9, 0.2), (1.0, 0.0))
    yield "the first step, from α = 0", answer(x_t, x_hat, (0.0, 1.0), (0.2, 0.7))
    yield "a step of images", answer(*draw(seed + 1, 2, 2, 3, 4, 5), (0.4, 0.7), (0.7, 0.3))
    yield "its gradients", answer.run(gradients, x_t, x_hat, *preserving)


@ddim_step.alternative
def along_x_t(x_t, x_hat, start, end):
    (a, s), (a2, s2) = start, end
    return s2 / s * x_t + (a2 - a * s2 / s) * x_hat


@ddim_step.alternative
def by_lerp(x_t, x_hat, start, end):
    (a, s), (a2, s2) = start, end
    eps = torch.sub(x_t, x_hat, alpha=a) / s
    return torch.add(a2 * x_hat, eps, alpha=s2)


def mixed(x_hat, eps, end):
    """Data and noise at a level."""
    return end[0] * x_hat + end[1] * eps


def noise(x_t, x_hat, level):
    """The noise in x_t."""
    return (x_t - level[0] * x_hat) / level[1]


@ddim_step.mistake(
    "x̂ is taken off x_t whole. How much of the data is in x_t, at the level from which you come?"
)
def data_taken_off_whole(x_t, x_hat, start, end):
    return mixed(x_hat, (x_t - x_hat) / start[1], end)


@ddim_step.mistake("The noise is computed with the levels of the end. At which level was x_t made?")
def noise_of_the_end(x_t, x_hat, start, end):
    if not end[1]:
        return x_t / end[1]
    return mixed(x_hat, noise(x_t, x_hat, end), end)


@ddim_step.mistake("σε̂ is what was taken from x_t. What is ε̂ itself?")
def noise_not_divided(x_t, x_hat, start, end):
    return mixed(x_hat, x_t - start[0] * x_hat, end)


@ddim_step.mistake("The noise keeps the size that it had. Which σ belongs to the level at the end?")
def old_noise_level(x_t, x_hat, start, end):
    return mixed(x_hat, noise(x_t, x_hat, start), (end[0], start[1]))


@ddim_step.mistake("The data keep the size that they had. Which α belongs to the level at the end?")
def old_signal_level(x_t, x_hat, start, end):
    return mixed(x_hat, noise(x_t, x_hat, start), (start[0], end[1]))


@ddim_step.mistake(
    "At the end the data come in at full size. Which factor do they have at that level?"
)
def signal_at_full_size(x_t, x_hat, start, end):
    return mixed(x_hat, noise(x_t, x_hat, start), (1.0, end[1]))


@ddim_step.mistake(
    "You took x_hat for a prediction of the noise. Many networks are asked for that; here x_hat is "
    "a prediction of the data."
)
def data_taken_for_noise(x_t, x_hat, start, end):
    x = (x_t - start[1] * x_hat) / start[0] if start[0] else x_t / 0.0
    return mixed(x, x_hat, end)


@ddim_step.mistake("This is x̂ itself. One step jumps to the data then: where does the text stop?")
def all_the_way(x_t, x_hat, start, end):
    return x_hat.clone()


@ddim_step.mistake(
    "New noise makes it a random step. DDIM at η = 0 keeps the noise that is in x_t: which is it?"
)
def fresh_noise(x_t, x_hat, start, end):
    return mixed(x_hat, torch.randn_like(x_t), end)


@ddim_step.mistake(
    "x̂ was cut to [-1, 1], the noise was computed before. Then the two no longer make x_t: "
    "and does the text speak of pixels?"
)
def data_cut_after_the_noise(x_t, x_hat, start, end):
    return mixed(x_hat.clamp(-1, 1), noise(x_t, x_hat, start), end)


@ddim_step.mistake(
    "x̂ was cut to [-1, 1] before all. For pixels in that range it is a remedy; these are points."
)
def data_cut(x_t, x_hat, start, end):
    x_hat = x_hat.clamp(-1, 1)
    return mixed(x_hat, noise(x_t, x_hat, start), end)


@ddim_step.mistake(
    "You took roots of the levels. √ᾱ and √(1 - ᾱ) are the paper's; here α and σ have been taken "
    "already."
)
def roots_taken_again(x_t, x_hat, start, end):
    start, end = [(a**0.5, s**0.5) for a, s in (start, end)]
    return mixed(x_hat, noise(x_t, x_hat, start), end)


@ddim_step.mistake("The step goes the other way, from less noise to more. Which level is `start`?")
def ends_exchanged(x_t, x_hat, start, end):
    if not end[1]:
        return x_t / end[1]
    return mixed(x_hat, noise(x_t, x_hat, end), start)
