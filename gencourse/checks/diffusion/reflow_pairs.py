"""Exercise on the pairs that a flow makes, for the next one to learn from."""

import itertools

import torch

from gencourse.checks import draw, exercise
from gencourse.models.diffusion import euler, even_times
from gencourse.probes.diffusion.sampling import paired


@torch.no_grad()
def reflow_pairs_reference(velocity, eps, n):
    """(x, ε): where n steps of Euler from t = 1 to 0 lead from ε, and ε itself; without a graph."""
    return euler(velocity, eps, even_times(n)), eps


@exercise(
    reference=reflow_pairs_reference,
    difficulty=2,
    minutes=8,
    points=3,
    hints=(
        "Start with x = eps at t = 1. A step leads from t to t - 1/n, and x changes by u times "
        "that difference.",
        "At which time is the velocity asked in the first step, at which in the last?",
        "The noise is needed once more at the end: is it still what it was?",
    ),
    on_success=(
        "Lines between such pairs hardly cross, so that the next flow's paths are straighter, and "
        "one step of it goes further."
    ),
)
def reflow_pairs(answer, seed):
    eps = draw(seed, 4, 3)
    yield "three steps", answer.run(paired, eps, 3)
    yield "a single step", answer.run(paired, eps, 1)
    yield "seven steps of images", answer.run(paired, draw(seed + 1, 2, 3, 2, 4), 7)
    yield "ten steps of a single point", answer.run(paired, eps[:1], 10)


@reflow_pairs.alternative
def by_counting_down(velocity, eps, n):
    with torch.no_grad():
        x = eps.clone()
        for i in range(n, 0, -1):
            x = x - velocity(x, torch.full((len(x),), i / n)) / n
    return x, eps


@reflow_pairs.alternative
def by_times(velocity, eps, n):
    x, times = eps, torch.linspace(1, 0, n + 1).tolist()
    for t, s in itertools.pairwise(times):
        x = x + (s - t) * velocity(x, t).detach()
    return [x, eps]


def walked(velocity, eps, n, times=None, sign=-1):
    """The end of n steps ±u/n, asked at the times."""
    with torch.no_grad():
        x = eps
        for t in times or [1 - i / n for i in range(n)]:
            x = x + sign * velocity(x, torch.full((len(x),), t)) / n
        return x


@reflow_pairs.mistake(
    "x is right, the noise beside it is new: the two have nothing to do with each other, and the "
    "next flow starts where the first did."
)
def fresh_noise(velocity, eps, n):
    return walked(velocity, eps, n), torch.randn_like(eps)


@reflow_pairs.mistake(
    "The right x and the right noise, in another order: a row's noise is another row's."
)
def rows_mixed_up(velocity, eps, n):
    return walked(velocity, eps, n), eps.roll(1, 0)


@reflow_pairs.mistake("Twice the same: the variable that held the noise was overwritten.")
def overwritten(velocity, eps, n):
    x = walked(velocity, eps, n)
    return x, x.clone()


@reflow_pairs.mistake("The right two, in the other order: the data first, then the noise.")
def in_the_other_order(velocity, eps, n):
    return eps, walked(velocity, eps, n)


@reflow_pairs.mistake(
    "The numbers are right, but the pair holds the graph of all steps: whoever learns from it "
    "would teach the teacher."
)
def graph_kept(velocity, eps, n):
    x = eps
    for i in range(n):
        x = x - velocity(x, torch.full((len(x),), 1 - i / n)) / n
    return x, eps


@reflow_pairs.mistake(
    "You walk along u, which points to the noise. Time falls: which sign has a step?"
)
def away_from_the_data(velocity, eps, n):
    return walked(velocity, eps, n, sign=1), eps


@reflow_pairs.mistake(
    "This is the flow of those who have noise at t = 0. Where is it here, and where does u point?"
)
def noise_at_zero(velocity, eps, n):
    return walked(velocity, eps, n, [i / n for i in range(n)], sign=1), eps


@reflow_pairs.mistake("Steps lead to the data, but times count up from 0. When is x noise?")
def times_count_up(velocity, eps, n):
    return walked(velocity, eps, n, [i / n for i in range(n)]), eps


@reflow_pairs.mistake(
    "The velocity is asked at the end of each step. Euler asks where the step begins."
)
def asked_at_the_end(velocity, eps, n):
    return walked(velocity, eps, n, [1 - (i + 1) / n for i in range(n)]), eps


@reflow_pairs.mistake(
    "The velocity is asked in the middle of each step, at the point of its beginning. Euler asks "
    "at the time where the step begins."
)
def asked_in_the_middle(velocity, eps, n):
    return walked(velocity, eps, n, [1 - (i + 0.5) / n for i in range(n)]), eps


@reflow_pairs.mistake("n times are n - 1 steps. How many times does it take for n of them?")
def a_step_too_few(velocity, eps, n):
    with torch.no_grad():
        x, times = eps, torch.linspace(1, 0, n).tolist()
        for t, s in itertools.pairwise(times):
            x = x + (s - t) * velocity(x, torch.full((len(x),), t))
        return x, eps


@reflow_pairs.mistake("The velocity is asked at t = 1 each time. What time is it after a step?")
def time_stands_still(velocity, eps, n):
    return walked(velocity, eps, n, [1.0] * n), eps


@reflow_pairs.mistake("The velocity is asked at ε each time. Where does x stand after a step?")
def point_stands_still(velocity, eps, n):
    with torch.no_grad():
        slopes = [velocity(eps, torch.full((len(eps),), 1 - i / n)) for i in range(n)]
        return eps - torch.stack(slopes).mean(0), eps


@reflow_pairs.mistake("One step goes all the way. The text asks for n of them.")
def a_single_step(velocity, eps, n):
    return walked(velocity, eps, 1), eps


@reflow_pairs.mistake("Each step is as long as the whole way. How long are n of them?")
def whole_steps(velocity, eps, n):
    with torch.no_grad():
        x = eps
        for i in range(n):
            x = x - velocity(x, torch.full((len(x),), 1 - i / n))
        return x, eps


@reflow_pairs.mistake(
    "These are Heun's steps, with two questions each. They are more exact; asked for are Euler's."
)
def heuns_steps(velocity, eps, n):
    with torch.no_grad():
        x = eps
        for i in range(n):
            t, s = (torch.full((len(x),), 1 - j / n) for j in (i, i + 1))
            slope = velocity(x, t)
            x = x - 0.5 * (slope + velocity(x - slope / n, s)) / n
        return x, eps


@reflow_pairs.mistake(
    "Beside x stands the velocity of its line, ε - x. The next flow takes that itself of the pair; "
    "what is asked for is the noise."
)
def velocity_beside(velocity, eps, n):
    x = walked(velocity, eps, n)
    return x, eps - x
