"""Exercise on what six recorded runs suffer from, told by their samples, curves and numbers."""

from gencourse.checks import exercise
from gencourse.probes.gan.samples import CAUSES, diagnosed
from gencourse.runner import Raised

ANSWER = {
    "A": "D is late",
    "B": "D is flat",
    "C": "healthy",
    "D": "mode collapse",
    "E": "D is sure",
    "F": "thin noise",
}


def compared(said: object) -> dict[str, object]:
    """What can be told of diagnoses without a word on any single run; all else as it is."""
    kind = "whether a dict from letters to causes came back"
    if isinstance(said, Raised) or not isinstance(said, dict):
        return {kind: said if isinstance(said, Raised) else False}
    return {
        kind: True,
        "the letters": ", ".join(sorted(said)),
        "the causes that are none of the seven": ", ".join(
            sorted({str(cause) for cause in said.values()} - set(CAUSES))
        )
        or "none",
        "whether all six causes are right": said == ANSWER,
        "your causes": dict(sorted(said.items())),
    }


@exercise(
    reference=lambda: ANSWER,
    difficulty=2,
    minutes=15,
    points=4,
    secret="your causes",
    hints=(
        (
            "Begin with the samples: do they lie where the data lie, and did they lie there one "
            "moment before? Then ask D: what does it believe of data and of samples?"
        ),
        (
            "Samples may stay where they began for two reasons: D is sure of everything, and G's "
            "loss is flat there; or D itself is flat. What would D's loss be in either case?"
        ),
        (
            "All modes reached, and still far from the data? Look at the shape of the cloud within "
            "a mode."
        ),
        "One of the seven words is not needed.",
    ),
    on_success=(
        "Four of the six end with losses near a draw, and one of these four is a success. The "
        "samples tell them apart; the losses do not."
    ),
)
def diagnoses(answer, seed):
    yield from compared(answer.run(diagnosed)).items()


@diagnoses.alternative
def in_another_order():
    return dict(
        F="thin noise",
        E="D is sure",
        D="mode collapse",
        C="healthy",
        B="D is flat",
        A="D is late",
    )


@diagnoses.alternative
def by_zip():
    return dict(zip("ABCDEF", tuple(ANSWER.values()), strict=True))


@diagnoses.mistake(
    "All healthy? Look at the last three moments of each run: in which of them do the samples lie "
    "where the data lie, and stay?"
)
def all_healthy():
    return dict.fromkeys(ANSWER, "healthy")


@diagnoses.mistake(
    "You seem to go by the losses: near a draw is healthy, far from it D is sure. A D that knows "
    "nothing has the losses of a draw, too. What do the samples do?"
)
def by_the_losses():
    draw = dict.fromkeys("ABCF", "healthy")
    return draw | dict.fromkeys("DE", "D is sure")


@diagnoses.mistake(
    "You seem to go by the number of modes alone. Few modes can have several causes: do the "
    "samples stay there, did they ever arrive, and who is right about them?"
)
def by_the_modes():
    return dict.fromkeys("ABDE", "mode collapse") | dict.fromkeys("CF", "healthy")


@diagnoses.mistake(
    "More rounds help where samples and data were still coming nearer at the end. In the runs that "
    "you would let go on, have the samples moved at all?"
)
def more_rounds_for_what_stands_still():
    return ANSWER | dict.fromkeys("BE", "stopped early")


@diagnoses.mistake(
    "You would let a game go on that has come to rest, with samples at a part of the data and a D "
    "that tells them apart. Is that a sound game? Look at its last three moments."
)
def more_rounds_for_a_game_at_rest():
    return ANSWER | {"D": "stopped early"}


@diagnoses.mistake(
    "You have one word for all runs that fail. They fail for different reasons, and a remedy that "
    "mends one of them makes another worse."
)
def one_word_for_all_failures():
    return dict.fromkeys(ANSWER, "mode collapse") | {"C": "healthy"}
