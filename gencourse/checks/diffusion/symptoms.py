"""The bug hunt: which broken piece makes which picture."""

from gencourse.checks import exercise
from gencourse.probes.diffusion.hunt import letters
from gencourse.runner import Raised

TRUTH = {
    "A": "centred",
    "B": "levels",
    "C": "start",
    "D": "steered",
    "E": "step_back",
    "F": "steps",
}
PIECES = {*TRUTH.values(), "noise_of"}


def compared(said: object) -> dict[str, object]:
    """What can be said of the answer without giving the right one away."""
    form = "whether each of the letters A to F has a name"
    if isinstance(said, Raised) or not isinstance(said, dict) or set(said) != set(TRUTH):
        return {form: said if isinstance(said, Raised) else False}
    unknown = sorted({str(name) for name in said.values()} - PIECES)
    found = {
        form: True,
        "the names that are none of the seven pieces": ", ".join(unknown) or "none",
        "whether no piece is named twice": len(set(said.values())) == len(said),
    }
    return (
        found
        | {f"whether picture {k} is right": said[k] == TRUTH[k] for k in TRUTH}
        | {"what you say": [said[k] for k in sorted(said)]}
    )


@exercise(
    reference=lambda: dict(TRUTH),
    difficulty=2,
    minutes=6,
    points=3,
    hints=(
        "Which pieces decide where in the plane a sample lies, and which how wide a cluster is?",
        (
            "The map from noise to a cluster is nearly affine: noise that is too narrow, or a "
            "schedule that ends too early, changes the width of what comes out."
        ),
        (
            "In which picture is hardly anything wrong? Which piece can be wrong in one place of "
            "fifty?"
        ),
    ),
    on_success="Each mistake has a face. You will meet them again in pictures of cats.",
    secret="what you say",
)
def symptoms(answer, seed):
    yield from compared(answer.run(letters)).items()


@symptoms.alternative
def in_another_order():
    return {letter: TRUTH[letter] for letter in "FDBACE"}


@symptoms.alternative
def by_pairs():
    return dict(zip("ABCDEF", TRUTH.values(), strict=True))


def exchanged(one, other):
    """The truth with two letters exchanged."""
    return TRUTH | {one: TRUTH[other], other: TRUTH[one]}


@symptoms.mistake(
    "B and C have changed places. Samples start at noise of a certain width: what becomes of "
    "clusters if it is narrower than the schedule's last level, and what if it is wider?"
)
def width_of_the_start():
    return exchanged("B", "C")


@symptoms.mistake(
    "E and F have changed places. Which piece works in every one of the fifty steps, and which can "
    "leave out a single one?"
)
def one_step_and_all():
    return exchanged("E", "F")


@symptoms.mistake(
    "C and D have changed places. In both the clusters are too narrow. In one of them they have "
    "also moved apart: who pushes away from the others' data?"
)
def narrow_for_another_reason():
    return exchanged("C", "D")


@symptoms.mistake(
    "A and C have changed places. What has moved all clusters into one corner, and shrunk their "
    "distances too?"
)
def where_and_how_wide():
    return exchanged("A", "C")


@symptoms.mistake(
    "B and F have changed places. Both are too wide, F hardly. How much noise is in x after all "
    "steps but one?"
)
def a_little_and_a_lot():
    return exchanged("B", "F")


@symptoms.mistake(
    "B and E have changed places. In one of them there are clusters still: which mistake lets "
    "noise through in every step?"
)
def wide_and_nowhere():
    return exchanged("B", "E")
