"""Exercise on what a network of few steps is told to say."""

import torch
from torch.autograd import forward_ad

from gencourse.checks import draw, exercise
from gencourse.probes.diffusion.sampling import targeted


def wide(times, x):
    """Times (B,) as (B, 1, ..., 1)."""
    return times.view(-1, *[1] * (x.ndim - 1))


def derivative(field, x_t, r, t, tangents):
    """How fast the field changes when its three arguments move so; without a graph."""
    with torch.no_grad():
        return torch.func.jvp(field, (x_t, r, t), tangents)[1]


def mean_flow_target_reference(field, x_t, v, r, t):
    """v - (t - r) d/dt u(x_t, r, t), where x_t moves with v, and no graph: (B, ...)."""
    tangents = v, torch.zeros_like(r), torch.ones_like(t)
    return v - wide(t - r, x_t) * derivative(field, x_t, r, t, tangents)


@exercise(
    reference=mean_flow_target_reference,
    difficulty=3,
    minutes=12,
    points=4,
    hints=(
        "The three arguments move at speeds of their own: x_t with v, r not at all, t with 1.",
        "torch.func.jvp(field, (x_t, r, t), speeds) gives what the field says, and how fast that "
        "changes. Each speed has the shape of its argument.",
        "The factor t - r belongs to rows. And a target is not to be learned from.",
    ),
    on_success=(
        "At r = t it is v: flow matching. For r < t the network is told what its own change along "
        "the path says of the mean, and one step from 1 to 0 is a sample."
    ),
)
def mean_flow_target(answer, seed):
    x_t, v = draw(seed, 2, 4, 3)
    r, t = torch.tensor([0.1, 0.0, 0.45, 0.3]), torch.tensor([0.8, 1.0, 0.65, 0.9])
    yield "four points", answer.run(targeted, x_t, v, r, t)
    square, equal = draw(seed + 1, 2, 4, 4), torch.where(r > 0.4, t, r)
    said = "four points of four numbers, one of which has r = t"
    yield said, answer.run(targeted, *square, equal, t)
    images = draw(seed + 2, 2, 2, 3, 2, 4)
    yield "two images", answer.run(targeted, *images, r[:2], t[:2])


@mean_flow_target.alternative
def along_the_path(field, x_t, v, r, t):
    def moved(s):
        return field(x_t + wide(s, x_t) * v, r, t + s)

    _, change = torch.func.jvp(moved, (torch.zeros_like(t),), (torch.ones_like(t),))
    return (v + wide(r - t, x_t) * change).detach()


@mean_flow_target.alternative
def by_dual_numbers(field, x_t, v, r, t):
    with torch.no_grad(), forward_ad.dual_level():
        moving = (forward_ad.make_dual(x, dx) for x, dx in ((x_t, v), (t, torch.ones_like(t))))
        x, time = moving
        change = forward_ad.unpack_dual(field(x, r, time)).tangent
    return torch.addcmul(v, wide(t - r, x_t), change, value=-1)


@mean_flow_target.alternative
def by_two_backwards(field, x_t, v, r, t):
    still, one = torch.zeros_like(r), torch.ones_like(t)
    _, change = torch.autograd.functional.jvp(field, (x_t, r, t), (v, still, one))
    return v - torch.einsum("b,b...->b...", t - r, change)


def told(field, x_t, v, r, t, dx=None, dr=0.0, dt=1.0, factor=None):
    """v - factor · change, for other speeds or another factor."""
    speeds = v if dx is None else dx, torch.full_like(r, dr), torch.full_like(t, dt)
    factor = wide(t - r, x_t) if factor is None else factor
    return v - factor * derivative(field, x_t, r, t, speeds)


@mean_flow_target.mistake(
    "r moves and t stands still in yours: which of the field's arguments comes second? That order "
    "has tripped others."
)
def r_for_t(field, x_t, v, r, t):
    return told(field, x_t, v, r, t, dr=1.0, dt=0.0)


@mean_flow_target.mistake("t moves, and r along with it. Where the mean begins stays where it is.")
def r_moves_too(field, x_t, v, r, t):
    return told(field, x_t, v, r, t, dr=1.0)


@mean_flow_target.mistake(
    "Only the time moves in yours. By then x_t is somewhere else: how fast does it go?"
)
def point_stands_still(field, x_t, v, r, t):
    return told(field, x_t, v, r, t, dx=torch.zeros_like(v))


@mean_flow_target.mistake("Only x_t moves in yours. The field is also told the time t.")
def time_stands_still(field, x_t, v, r, t):
    return told(field, x_t, v, r, t, dt=0.0)


@mean_flow_target.mistake("x_t moves against v while t grows. u = dx_t/dt: which way does it go?")
def point_moves_back(field, x_t, v, r, t):
    return told(field, x_t, v, r, t, dx=-v)


@mean_flow_target.mistake("The change is right, its sign in the target is not: v minus, or plus?")
def sign_turned(field, x_t, v, r, t):
    return told(field, x_t, v, r, t, factor=wide(r - t, x_t))


@mean_flow_target.mistake(
    "The change is right. By how much is it multiplied, if r = t is to give v alone?"
)
def without_the_factor(field, x_t, v, r, t):
    return told(field, x_t, v, r, t, factor=1.0)


@mean_flow_target.mistake("The change is multiplied by t. How long is the way from r to t?")
def whole_time(field, x_t, v, r, t):
    return told(field, x_t, v, r, t, factor=wide(t, x_t))


@mean_flow_target.mistake("This is v: flow matching. What does it lack for r < t?")
def velocity_alone(field, x_t, v, r, t):
    return v


@mean_flow_target.mistake("This is what comes off. From what?")
def correction_alone(field, x_t, v, r, t):
    return told(field, x_t, v, r, t) - v


@mean_flow_target.mistake(
    "jvp returns two things: what the field says, and how fast that changes. You took the first."
)
def value_for_change(field, x_t, v, r, t):
    with torch.no_grad():
        return v - wide(t - r, x_t) * field(x_t, r, t)


@mean_flow_target.mistake(
    "The change comes off what the network says itself. A network that is told its own words "
    "learns nothing of the data: where does v come in?"
)
def of_its_own_words(field, x_t, v, r, t):
    with torch.no_grad():
        return field(x_t, r, t) + told(field, x_t, v, r, t) - v


@mean_flow_target.mistake(
    "x_t moves with the mean velocity that the network says. How fast does it go at the time t "
    "itself?"
)
def moved_by_the_mean(field, x_t, v, r, t):
    with torch.no_grad():
        return told(field, x_t, v, r, t, dx=field(x_t, r, t))


@mean_flow_target.mistake(
    "The numbers are right, but the target holds a graph: training would change it along with the "
    "answer."
)
def graph_kept(field, x_t, v, r, t):
    tangents = v, torch.zeros_like(r), torch.ones_like(t)
    return v - wide(t - r, x_t) * torch.func.jvp(field, (x_t, r, t), tangents)[1]


@mean_flow_target.mistake(
    "With as many numbers as rows nothing complains, and t - r goes along the last axis. To which "
    "axis do times belong?"
)
def factor_along_the_last_axis(field, x_t, v, r, t):
    return told(field, x_t, v, r, t, factor=t - r)


@mean_flow_target.mistake("All rows have one factor, the mean of t - r. Each has its own.")
def one_factor_for_all(field, x_t, v, r, t):
    return told(field, x_t, v, r, t, factor=(t - r).mean())


@mean_flow_target.mistake(
    "t and r changed places in the call of the field. In which order does it take them?"
)
def times_exchanged(field, x_t, v, r, t):
    tangents = v, torch.ones_like(t), torch.zeros_like(r)
    return v - wide(t - r, x_t) * derivative(field, x_t, t, r, tangents)
