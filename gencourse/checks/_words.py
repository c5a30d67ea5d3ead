"""Sentences of verdicts that belong to no exercise in particular."""

RETURNED_NONE = "It returned None. If you have written an answer, does it end with `return`?"
UNWRITTEN_BRANCH = (
    "For some inputs it ends in `raise NotImplementedError()`. Write that branch too."
)
NO_MORE_HINTS = (
    "That is all. The worked answer stands under the same heading in the solutions notebook."
)
NOT_FLOAT64 = (
    "Given float64 it is less exact than float64 can be. Common reasons: a constant, a buffer or a "
    "result in float32, an epsilon that is added, a number that is capped, a difference of nearly "
    "equal numbers."
)
HARM = {
    "changed": (
        "it changes `{where}`, which later cells use. Compute a new tensor instead of writing into "
        "the argument"
    ),
    "result": (
        "a later call changes what an earlier one has returned. Return a new tensor each time, not "
        "one that is kept"
    ),
    "weights": (
        "it changes the parameters or buffers of `{where}`, which later cells use. Leave them as "
        "they are"
    ),
    "replaced": (
        "it puts new parameters into `{where}`, which its optimizer does not know. Change the "
        "values of those that are there, with `copy_` say"
    ),
    "hooks": "it leaves a hook on `{where}`, which acts in every later cell. Remove it",
    "settings": (
        "it leaves a setting of `{where}` or of one of its layers changed. Put it back as it was"
    ),
    "training mode": (
        "it leaves `{where}` or a part of it in another mode (training or evaluation) than it came "
        "in. Change the mode only where the task asks for that, and then put it back"
    ),
    "requires_grad": (
        "it leaves parameters of `{where}` with another requires_grad. Put it back as it was"
    ),
    "gradients": (
        "it makes `{where}` itself ask for gradients, so that `{where}.numpy()` fails from then "
        "on. Work on `{where}.detach().clone()`"
    ),
    "unused": (
        "it draws its random numbers elsewhere than from `{where}`. Pass the generator on to every "
        "draw"
    ),
    "mode": "it leaves torch's {where} changed for every later cell. Put it back as it was",
    "optimizer": (
        "it changes which parameters `{where}` moves, or its settings. Leave both as they are"
    ),
    "device": (
        "it lies on {where}, and where answers are graded there is no GPU. Make new tensors where "
        "the arguments are: device=x.device"
    ),
    "reseeded": (
        "it sets the seed of {where} anew, so later draws repeat. Draw from it without seeding it"
    ),
}
STRESS = {
    "memory that is not contiguous": (
        "not for tensors whose memory is not contiguous, such as a transposed one"
    ),
    "float64": "not for inputs in float64",
    "one example": "not for a batch of one example (first dimensions cut to their first entry)",
    "more examples": "not for a larger batch (further entries in first dimensions)",
    "one column": "not when second dimensions have length 1 (cut to their first entry)",
    "more columns": "not when second dimensions are longer (further entries in them)",
    "larger numbers": "not for larger numbers (twelve times as large, in float64)",
    "a frozen layer": "not when a layer of the network is frozen (its requires_grad is False)",
    "a network in evaluation mode": (
        "not when the network comes in evaluation mode (eval() was called before)"
    ),
    "a second call": "not when it is called a second time",
    "another global seed": "not with another seed of torch's global generator",
}


def harm(what: str, where: str) -> str:
    """The verdict on a right value that was obtained by changing what others use."""
    if what == "reseeded" and where != "torch":
        where = f"`{where}`"
    return f"The result is right, but {HARM[what].format(where=where)}."


def stress(kind: str, said: str) -> str:
    """The verdict on an answer that is right until its arguments are altered."""
    return f"Right for the first inputs, but {STRESS[kind]}. {said}"


def other_name(name: str) -> str:
    """For an answer that is judged under a name which it does not bear in the notebook."""
    return (
        f"No points yet: the score table and the grader look for the name `{name}`, and in this "
        f"notebook that is not the function you passed. Name your function `{name}`."
    )


def old_trial(name: str) -> str:
    """For a trial of the first edition."""
    return (
        f"exercise: the trial {name} should take `answer`, got `ask`. In place of "
        f'ask("{name}(x)", x=x) write answer(x); code that stood around the call goes into a '
        f"function of my_probes.py, called by answer.run(function, x)."
    )


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 point, 2 points."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
