"""The bug hunt: piece 7, the order of the steps."""

from gencourse.checks._hunt import repair
from gencourse.probes.diffusion.hunt import order


def repair_7_reference(T):
    """T, T - 1, ..., 1."""
    return range(T, 0, -1)


@repair(
    reference=repair_7_reference,
    minutes=2,
    hints=(
        "A step n goes from level n to level n - 1. Which one ends at the data, level 0?",
        "`range` leaves its end out.",
    ),
    on_success="All T of them; the last one ends at level 0.",
)
def repair_7(answer, seed):
    yield "the order of 50 steps", answer.run(order, 50)
    T = (7, 4, 11, 5, 9)[seed % 5]
    yield f"the order of {T} steps", answer.run(order, T)
    yield "the order of a single step", answer.run(order, 1)


@repair_7.alternative
def reversed_list(T):
    return list(range(1, T + 1))[::-1]


@repair_7.alternative
def by_counting(T):
    return [T - i for i in range(T)]


@repair_7.mistake("This is still the planted piece. Where does its last step end?")
def planted_steps(T):
    return range(T, 1, -1)


@repair_7.mistake("The first step is missing: from which level does a sample start?")
def first_left_out(T):
    return range(T - 1, 0, -1)


@repair_7.mistake(
    "A step 0 would go from level 0 to level -1, in Python the last. How many are there?"
)
def one_too_many(T):
    return range(T, -1, -1)


@repair_7.mistake(
    "These count from T - 1 to 0, as code does that keeps ᾱ without an entry for the data. Here "
    "level 0 is data: which step ends there?"
)
def counted_from_zero(T):
    return range(T - 1, -1, -1)


@repair_7.mistake("This is the order in which noise is added. Which way does a sampler go?")
def upwards(T):
    return range(1, T + 1)
