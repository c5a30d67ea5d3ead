"""The bug hunt: the pieces that the instruments convict."""

from gencourse.checks import exercise
from gencourse.checks._hunt import CONVICTION, compared, usual_mistakes
from gencourse.probes.general import accused

BROKEN = {"prepare", "pairs", "attend", "positions", "next_logits", "draw_token"}
PIECES = BROKEN | {"token_loss"}


@exercise(
    reference=lambda: BROKEN,
    difficulty=2,
    minutes=3,
    points=2,
    hints=(
        CONVICTION,
        (
            "The last instrument compares a text at once with the same text token by token, and "
            "two pieces have a part in it. In its second line one of them is PyTorch's own."
        ),
        "Accuse only what an instrument convicts, however strange a piece looks.",
    ),
    on_success=(
        "Found by measuring. Some of them made the loss too good, others only spoilt what was "
        "written, and no loss would have told."
    ),
)
def suspects(answer, seed):
    yield from compared(answer.run(accused), PIECES, BROKEN).items()


@suspects.alternative
def as_a_list():
    return ["attend", "positions", "pairs", "prepare", "draw_token", "next_logits"]


usual_mistakes(suspects, PIECES)


@suspects.mistake(
    "Those whose own instrument complains are all there. What does the second line of the last "
    "instrument say, in which attention is beyond doubt?"
)
def without_positions():
    return BROKEN - {"positions"}


@suspects.mistake(
    "Those that make the loss too good are there. Did you also run the instruments for what comes "
    "after training?"
)
def training_only():
    return {"prepare", "pairs", "attend"}


@suspects.mistake(
    "Those that spoil the writing are there. A loss near zero for Shakespeare should make you "
    "suspicious of more."
)
def writing_only():
    return {"positions", "next_logits", "draw_token"}


@suspects.mistake(
    "All that is broken in the network and around it is there. Is what the network is fed beyond "
    "doubt: did something learn from the held-out text before training began?"
)
def without_prepare():
    return BROKEN - {"prepare"}


@suspects.mistake(
    "You accuse a piece that passes, and let go another: which instrument says what of the loss?"
)
def loss_for_pairs():
    return PIECES - {"pairs"}
