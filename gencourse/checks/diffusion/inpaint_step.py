"""Exercise on filling in what is missing."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models.diffusion import ddim_step, perturb
from gencourse.probes.general import gradients


def inpaint_step_reference(x_t, x_hat, known, mask, eps, start, end):
    """A DDIM step, then α' known + σ' ε where mask is 1: (B, ...)."""
    return torch.where(mask > 0, perturb(known, eps, *end), ddim_step(x_t, x_hat, start, end))


@exercise(
    reference=inpaint_step_reference,
    difficulty=2,
    minutes=8,
    points=3,
    hints=(
        "First the step, as if all were unknown. Then put in what is known.",
        "What is put in has to look like the rest: how noisy is that after the step?",
        "At the level at the end the known part is α' known + σ' ε.",
    ),
    on_success=(
        "A heuristic: the next step takes the noised known part for all that is known. The chapter "
        "shows by how much it is wrong."
    ),
    exempt={"larger numbers": "a mask holds 0 and 1"},
)
def inpaint_step(answer, seed):
    x_t, x_hat, known, eps = draw(seed, 4, 4, 3)
    mask = torch.tensor([[1.0, 0, 0], [0, 1, 1], [0, 0, 1], [1, 1, 0]])
    start, end = (0.6, 0.8), (0.8, 0.6)
    yield "a step of points", answer(x_t, x_hat, known, mask, eps, start, end)
    start, end = (0.3, 0.7), (0.55, 0.45)
    yield "a step of flow matching", answer(x_t, x_hat, known, mask, eps, start, end)
    last = answer(x_t, x_hat, known, mask, eps, (0.9, 0.2), (1.0, 0.0))
    yield "the last step, to σ = 0", last
    start, end = (1.0, 5.0), (1.0, 2.0)
    yield "a step at α = 1", answer(x_t, x_hat, known, mask, eps, start, end)
    images = draw(seed + 1, 4, 2, 3, 4, 5)
    hole = (draw(seed + 2, 2, 1, 4, 5) > 0).float().expand(2, 3, 4, 5)
    yield "a step of images", answer(*images[:3], hole, images[3], (0.4, 0.7), (0.7, 0.3))
    yield (
        "its gradients",
        answer.run(gradients, x_t, x_hat, known, mask, eps, start, end, wrt=(0, 1, 2)),
    )


@inpaint_step.alternative
def by_a_sum(x_t, x_hat, known, mask, eps, start, end):
    (a, s), (a2, s2) = start, end
    x = a2 * x_hat + s2 * (x_t - a * x_hat) / s
    return mask * (a2 * known + s2 * eps) + (1 - mask) * x


@inpaint_step.alternative
def by_lerp(x_t, x_hat, known, mask, eps, start, end):
    x_0 = torch.lerp(x_hat, known, mask)
    noise = torch.lerp((x_t - start[0] * x_hat) / start[1], eps, mask)
    return end[0] * x_0 + end[1] * noise


def put(known, mask, x):
    """x where the mask is 0, known where it is 1."""
    return torch.where(mask > 0, known, x)


@inpaint_step.mistake(
    "Known numbers were put in without noise. The rest is noisy still: what does a denoiser think "
    "of a clean half?"
)
def without_noise(x_t, x_hat, known, mask, eps, start, end):
    return put(known, mask, ddim_step(x_t, x_hat, start, end))


@inpaint_step.mistake(
    "The known part has the noise of the level from which you come, one step too much. Which level "
    "has the rest?"
)
def level_of_the_start(x_t, x_hat, known, mask, eps, start, end):
    return put(perturb(known, eps, *start), mask, ddim_step(x_t, x_hat, start, end))


@inpaint_step.mistake(
    "Some programs mark with 1 what is to be painted, and yours reads the mask so. Here 1 is known."
)
def mask_inverted(x_t, x_hat, known, mask, eps, start, end):
    return put(ddim_step(x_t, x_hat, start, end), mask, perturb(known, eps, *end))


@inpaint_step.mistake("This is the step alone. Where is what is known?")
def nothing_put_in(x_t, x_hat, known, mask, eps, start, end):
    return ddim_step(x_t, x_hat, start, end)


@inpaint_step.mistake(
    "The known part is right. The unknown part stands where it stood: did it take its step?"
)
def no_step(x_t, x_hat, known, mask, eps, start, end):
    return put(perturb(known, eps, *end), mask, x_t)


@inpaint_step.mistake(
    "The known part is right. Elsewhere x̂ came in as data without noise: which level should it "
    "have after the step?"
)
def denoised_elsewhere(x_t, x_hat, known, mask, eps, start, end):
    return put(perturb(known, eps, *end), mask, x_hat)


@inpaint_step.mistake(
    "Known numbers replaced those of x̂ before the step, and kept the noise that x_t seems to hold "
    "beside them. Which noise is given for them?"
)
def put_into_the_estimate(x_t, x_hat, known, mask, eps, start, end):
    return ddim_step(x_t, put(known, mask, x_hat), start, end)


@inpaint_step.mistake(
    "Known numbers replaced those of x̂ at the end, with the noise that the step had found before. "
    "Which noise is given for them?"
)
def noise_of_the_estimate(x_t, x_hat, known, mask, eps, start, end):
    noise = (x_t - start[0] * x_hat) / start[1]
    return end[0] * put(known, mask, x_hat) + end[1] * noise


@inpaint_step.mistake(
    "The known part has the right noise, but stands at full size. How large are data at this level?"
)
def known_at_full_size(x_t, x_hat, known, mask, eps, start, end):
    noisy = perturb(known, eps, 1.0, end[1])
    return put(noisy, mask, ddim_step(x_t, x_hat, start, end))


@inpaint_step.mistake(
    "Known and step were added where both are. Should the mask keep the step out of what is known?"
)
def added(x_t, x_hat, known, mask, eps, start, end):
    return mask * perturb(known, eps, *end) + ddim_step(x_t, x_hat, start, end)


@inpaint_step.mistake(
    "The unknown part got new noise of its own. A deterministic step keeps the noise that is in "
    "x_t: only the known part takes eps."
)
def noised_everywhere(x_t, x_hat, known, mask, eps, start, end):
    return put(perturb(known, eps, *end), mask, perturb(x_hat, eps, *end))


@inpaint_step.mistake("The step is right. eps is given for the known part: did you draw your own?")
def own_noise(x_t, x_hat, known, mask, eps, start, end):
    noisy = perturb(known, torch.randn_like(known), *end)
    return put(noisy, mask, ddim_step(x_t, x_hat, start, end))
