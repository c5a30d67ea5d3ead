"""The bug hunt: the pieces that the instruments convict."""

from gencourse.checks import exercise
from gencourse.checks._hunt import CONVICTION, compared, usual_mistakes
from gencourse.probes.general import accused

BROKEN = {"posterior", "draw", "reconstruction", "step_loss", "generate", "report_card"}
PIECES = BROKEN | {"kl"}


@exercise(
    reference=lambda: BROKEN,
    difficulty=2,
    minutes=2,
    points=2,
    hints=(
        CONVICTION,
        (
            "The last instrument looks at three pieces at once. Read each of them: which one could "
            "keep a slope from passing?"
        ),
        "Accuse only what an instrument convicts, however strange a piece looks.",
    ),
    on_success=(
        "Found by measuring: not one of them stopped the program. One gave every value right, and "
        "no slope."
    ),
)
def suspects(answer, seed):
    yield from compared(answer.run(accused), PIECES, BROKEN).items()


@suspects.alternative
def as_a_list():
    return ["report_card", "posterior", "draw", "generate", "step_loss", "reconstruction"]


usual_mistakes(suspects, PIECES)


@suspects.mistake(
    "Those whose own instrument complains are all there. What does training need of a piece "
    "beside right values? The last instrument asks for that."
)
def values_alone():
    return BROKEN - {"draw"}


@suspects.mistake(
    "Those whose own instrument complains are all there, and one that no instrument convicts. "
    "Which piece could keep a slope from passing: does your trust_kl have doubts about the KL?"
)
def kl_for_draw():
    return PIECES - {"draw"}


@suspects.mistake("The minus sign is famous for being forgotten. What does your trust_kl say here?")
def only_the_sign():
    return {"kl"}


@suspects.mistake(
    "You have the pieces that training touches. Did you also run the instruments for what comes "
    "after training?"
)
def training_only():
    return BROKEN - {"generate", "report_card"}
