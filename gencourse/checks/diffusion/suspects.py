"""The bug hunt: the pieces that the instruments convict."""

from gencourse.checks import exercise
from gencourse.checks._hunt import compared, usual_mistakes
from gencourse.probes.general import accused

BROKEN = {"centred", "levels", "start", "steered", "step_back", "steps"}
PIECES = BROKEN | {"noise_of"}


@exercise(
    reference=lambda: BROKEN,
    difficulty=1,
    minutes=3,
    points=2,
    hints=(
        "Run the instruments one by one and compare `measured` with `should be`.",
        "A piece is a suspect if they differ, and only then, however strange it looks.",
    ),
    on_success="Found by measuring, one piece at a time. The picture alone shows only the worst.",
)
def suspects(answer, seed):
    yield from compared(answer.run(accused), PIECES, BROKEN).items()


@suspects.alternative
def as_a_list():
    return ["steps", "centred", "step_back", "steered", "levels", "start"]


usual_mistakes(suspects, PIECES)


@suspects.mistake(
    "Five of the broken ones are there. How many steps are made, and which is the last?"
)
def steps_forgotten():
    return BROKEN - {"steps"}


@suspects.mistake(
    "Five of the broken ones are there. A guidance that draws sharper pictures looks like a good "
    "one. What should w = 1 mean?"
)
def guidance_forgotten():
    return BROKEN - {"steered"}


@suspects.mistake(
    "Five of the broken ones are there. DDPM's own numbers look trustworthy. For how many steps "
    "were they made?"
)
def levels_forgotten():
    return BROKEN - {"levels"}


@suspects.mistake(
    "A minus sign looks like a mistake. Which way does the score point, and which way the noise? "
    "And the others?"
)
def only_the_sign():
    return {"noise_of"}


@suspects.mistake(
    "The one piece that draws noise in every picture: but there are more. Did you run all of the "
    "instruments?"
)
def only_the_step():
    return {"step_back"}
