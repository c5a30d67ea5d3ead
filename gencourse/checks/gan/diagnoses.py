"""Exercise on telling four recorded runs apart by their samples and their curves."""

from gencourse.checks import exercise
from gencourse.probes.gan.samples import diagnosed

ANSWER = {
    "A": "oscillation",
    "B": "the discriminator wins",
    "C": "healthy",
    "D": "mode collapse",
}


@exercise(
    reference=lambda: ANSWER,
    difficulty=2,
    minutes=10,
    points=3,
    secret="your diagnoses: run",
    hints=(
        (
            "Cover the curves and look at the samples alone. Where are they at the end, and were "
            "they somewhere else one moment before?"
        ),
        (
            "A loss is measured against the opponent of that moment. What do both losses look like"
            " when the two players are equally good, and when they are equally bad?"
        ),
        "Each of the four words is needed once.",
    ),
    on_success=(
        "Two of the runs have almost the same losses, and one of these is the best of the four "
        "and one of the worst. The samples tell them apart."
    ),
)
def diagnoses(answer, seed):
    yield "your diagnoses", answer.run(diagnosed)


@diagnoses.alternative
def in_another_order():
    return dict(D="mode collapse", C="healthy", B="the discriminator wins", A="oscillation")


@diagnoses.alternative
def by_zip():
    return dict(zip("ABCD", (ANSWER["A"], ANSWER["B"], ANSWER["C"], ANSWER["D"]), strict=True))


@diagnoses.mistake(
    "All healthy? Look at the last three moments of each run: in which of them do the samples lie "
    "where the data lie?"
)
def all_healthy():
    return dict.fromkeys(ANSWER, "healthy")


@diagnoses.mistake(
    (
        "You call two runs healthy whose losses stay near those of a D that cannot tell. Are the "
        "samples of both where the data are, at every moment?"
    ),
    "A D that is chased in circles cannot tell either.",
)
def judged_by_quiet_losses():
    return ANSWER | {"A": "healthy"}


@diagnoses.mistake(
    "In one of your two healthy runs the generator's loss has fallen, that is true. Against which "
    "opponent? Count the modes that its samples reach."
)
def falling_loss_taken_for_quality():
    return ANSWER | {"D": "healthy"}


@diagnoses.mistake(
    "Losses near zero look like success in other kinds of training. In one of your two healthy "
    "runs, have the samples moved at all?"
)
def zero_losses_taken_for_success():
    return ANSWER | {"B": "healthy"}


@diagnoses.mistake(
    "An accuracy of one half is not a failure of D: what else could it reach if samples and data "
    "were alike? Compare the samples of A and C."
)
def half_accuracy_taken_for_failure():
    return ANSWER | {"A": "healthy", "C": "oscillation"}


@diagnoses.mistake(
    "D tells everything apart in one run, and in another hardly anything. In which of the two do "
    "the samples lie where the data lie?"
)
def accuracy_taken_for_health():
    return ANSWER | {"B": "healthy", "C": "the discriminator wins"}


@diagnoses.mistake(
    "In one of B and D the samples have reached some modes, in the other they have never left "
    "their first place. Look again."
)
def stuck_and_collapsed_exchanged():
    return ANSWER | {"B": "mode collapse", "D": "the discriminator wins"}


@diagnoses.mistake(
    "In A and in D few modes are reached at any moment. In one of them the samples stay there, in "
    "the other they move on: compare the last three moments."
)
def wandering_and_collapsed_exchanged():
    return ANSWER | {"A": "mode collapse", "D": "oscillation"}


@diagnoses.mistake(
    "Two runs reach few modes at any moment, and you give both the same word. Do the samples of "
    "both stay where they are?"
)
def wandering_taken_for_collapse():
    return ANSWER | {"A": "mode collapse"}


@diagnoses.mistake(
    "In two of your runs you say that D wins. In one of these the samples have reached some of the"
    " data: what happened to the rest?"
)
def high_accuracy_taken_for_victory():
    return ANSWER | {"D": "the discriminator wins"}
