"""Exercise on finding out, by experiment, which output of a model depends on which input."""

import torch
from torch import nn

from gencourse.checks import draw, exercise
from gencourse.probes.autoregressive import dependence as toys
from gencourse.probes.autoregressive import examples as rows


def depends_on_reference(f, x):
    """Which outputs, (K, D), move when an input takes the values of all other examples."""
    if training := isinstance(f, nn.Module) and f.training:
        f.eval()
    others, moved = len(x) - 1, []
    before = f(x).repeat(others, 1)
    for j in range(x.shape[1]):
        varied = x.repeat(others, 1)
        varied[:, j] = torch.cat([x[:, j].roll(shift) for shift in range(1, len(x))])
        moved.append((f(varied) != before).any(0))
    f.train() if training else None
    return torch.stack(moved, 1)


@exercise(
    reference=depends_on_reference,
    difficulty=2,
    minutes=15,
    points=3,
    hints=(
        "Change one input, ask f again, compare with before. Which row and which column of the "
        "answer does that fill?",
        "Which values may an input take? If they are tokens, a small nudge makes no token. The "
        "other examples hold values that do occur.",
        "Undo what you changed before you change the next input, and look at each output by "
        "itself.",
        "f may be a module that draws random numbers in training mode. How do you switch that "
        "off, and back on if it was on?",
    ),
    exempt={"more examples": "whether a rare leak shows depends on which examples there are"},
    on_success=(
        "Smooth models, steps and tokens alike, and a leak of a billionth was found. No derivative "
        "was needed: two outputs differ, or they do not."
    ),
)
def depends_on(answer, seed):
    x, weights = rows.examples(seed), 0.2 + draw(seed + 1, 5).double().sigmoid()
    a = 1 + seed % 2  # the leak: output a depends on input b, which comes later
    b = a + 1 + seed // 2 % 2

    def find(x, leak="", outputs=5, a=a, b=b, size=1.0):
        return answer.run(toys.found, x, weights[: x.shape[1]], outputs, leak, a, b, size)

    for D, K in ((5, 5), (5, 3), (3, 5), (1, 2)):
        yield f"a causal model with D = {D} and K = {K}", find(x[:4, :D], outputs=K, a=0)
    leak = f"the answer when output {a} depends on input {b}"
    yield f"{leak}, too", find(x, "sum", size=0.5)
    yield f"{leak} by less than a billionth", find(x, "sum", size=1e-13)
    yield f"the answer when output {a} sees input {b} times input 0", find(x, "product")
    yield f"{leak} in examples where input 0 is positive", find(rows.positive(x, b), "gated")
    yield f"{leak} in a band and where input 0 is positive", find(rows.banded(x, b), "band")
    for i, k in ((4, 3), (4, 5), (5, 2), (0, 3), (4, 1), (2, 3)):
        said = f"{leak} in example {i} alone, and not if it gets the value that example {k} has"
        yield said, find(rows.rare(x, b, i, k), "rare")
    n = 66 if seed % 3 == 2 else 7  # a loop over all pairs should not pay for it each time
    yield f"a leak in the last but one of {n} examples", find(rows.late(seed, n), "rare", 2, 1, 1)
    yield "the answer for a model of one output, which sees input 2", find(x, "sum", 1, 0, 2)
    yield "the answer from 2 examples", find(x[:2])
    for mode, given in (("training", x), ("evaluation", x.float())):  # a module has one dtype
        found = answer.run(toys.found_in_module, given, weights, 5, mode == "training")
        yield f"a module in {mode} mode, which adds noise in training", found
    yield "outputs of -∞ in some examples", answer.run(toys.found_beside_infinity, x, weights)
    yield "the answer for a model made of steps, x > 0", answer.run(toys.found_in_steps, x, 5)
    yield "the answer where output 0 sees token 1", answer.run(toys.found_in_tokens, rows.tokens())


@depends_on.alternative
def neighbour_by_neighbour(f, x):
    mode = getattr(f, "training", False) and f.eval() is f
    outputs, found = f(x), []
    for j in range(x.size(1)):
        moved = 0
        for turned in (torch.flip(x, [0]), x.roll(1, 0)):
            other = torch.cat([x[:, :j], turned[:, j : j + 1], x[:, j + 1 :]], 1)
            moved = moved + ((f(other) - outputs).abs() > 0).sum(0)
        found.append(moved > 0)
    f.train() if mode else None
    return torch.stack(found).T


@depends_on.alternative
@torch.no_grad()
def all_examples_at_once(f, x):
    was, columns = getattr(f, "training", False) and f.eval(), []
    for j in range(x.shape[1]):
        rows = x.repeat_interleave(len(x), 0)
        rows[:, j] = x[:, j].repeat(len(x))
        columns.append((f(rows) != f(x).repeat_interleave(len(x), 0)).any(0))
    f.train() if was else None
    return torch.stack(columns, 1)


def tried(
    f,
    x,
    start=None,
    pick=None,
    pile_up=False,
    evaluate=True,
    restore=True,
    differ=torch.ne,
    inputs=None,
    value=None,
    others=lambda x: [x.roll(shift, 0) for shift in range(1, len(x))],
):
    """The reference with knobs for what learners get wrong.

    `pick` joins changes (shifts, examples, outputs).
    """
    module = isinstance(f, nn.Module)
    training = module and f.training
    if module and evaluate:
        f.eval()
    start, rows = x if start is None else start(x), others(x)
    before = f(start)
    moved = torch.zeros(before.shape[1], x.shape[1], dtype=torch.bool)
    for j in range(x.shape[1]) if inputs is None else inputs(x):
        varied = start.repeat(len(rows), 1)
        varied[:, j] = torch.cat([other[: len(start), j] for other in rows])
        varied[:, j] = varied[:, j] if value is None else value(varied[:, j])
        changed = differ(f(varied), before.repeat(len(rows), 1)).unflatten(
            0, (len(rows), len(start))
        )
        moved[:, j] = changed.any(0).any(0) if pick is None else pick(changed)
        if pile_up:
            start = varied[: len(start)]
    if module and restore:
        f.train(training)
    return moved


def derivatives(f, x):
    """Of every output with respect to every input, (N, K, D); 0 where there is no graph."""
    x = x.detach().clone().requires_grad_()
    out = f(x)
    rows = [
        torch.autograd.grad(column.sum(), x, retain_graph=True)[0]
        if column.requires_grad
        else torch.zeros_like(x)
        for column in out.T
    ]
    return torch.stack(rows, 1)


def in_evaluation_mode(rule, f, x):
    training = isinstance(f, nn.Module) and f.training
    if training:
        f.eval()
    found = rule()
    if training:
        f.train()
    return found


@depends_on.mistake(
    "A derivative, or a small nudge, sees smooth models only. A step has derivative 0, and a token "
    "and a bit is no token. What else can you try?"
)
def by_derivative(f, x):
    return in_evaluation_mode(lambda: (derivatives(f, x) != 0).any(0), f, x)


@depends_on.mistake(
    "At an image of zeros a ReLU can be silent and a product vanish, though the weights leak. From "
    "which examples should you start?"
)
def derivative_at_zero(f, x):
    return in_evaluation_mode(lambda: (derivatives(f, torch.zeros_like(x)) != 0).any(0), f, x)


@depends_on.mistake(
    "You change an input of an image of zeros. A product of two inputs never moves there. From "
    "which examples should you start?"
)
def zeros_as_start(f, x):
    return tried(f, x, start=torch.zeros_like)


@depends_on.mistake(
    "Only the first example is tried. A leak may show in others alone: in how many should you look?"
)
def first_example_alone(f, x):
    return tried(f, x, start=lambda x: x[:1])


@depends_on.mistake(
    "An output must change in every example before you count it. How many are enough to prove that "
    "it depends?"
)
def every_example(f, x):
    return tried(f, x, pick=lambda changed: changed.all(1).any(0))


@depends_on.mistake(
    "All outputs are joined before you compare, so you cannot tell which of them moved. Your "
    "columns hold one answer each."
)
def outputs_joined(f, x):
    return tried(f, x, pick=lambda changed: changed.any())


@depends_on.mistake(
    "You try values that no example has: 0, or another one for all of them. Where a ReLU is silent "
    "already, that changes nothing. Which values does an input have?"
)
def set_to_zero(f, x):
    return tried(f, x, value=torch.zeros_like)


@depends_on.mistake(
    "All examples get the same value, that of one of them. A leak may need another one to show: "
    "how many values has the input?"
)
def one_value_for_all(f, x):
    return tried(f, x, value=lambda column: column[:1].expand_as(column))


@depends_on.mistake(
    "Each example gets one other value, and a leak that this one does not show is missed. The text "
    "asks for several: how many other examples are there?"
)
def one_neighbour(f, x):
    return tried(f, x, others=lambda x: [x.roll(1, 0)])


@depends_on.mistake(
    "The examples are turned round, so each gets one other value, and the middle one of an odd "
    "number none. The text asks for several: how many other examples are there?"
)
def turned_round(f, x):
    return tried(f, x, others=lambda x: [x.flip(0)])


@depends_on.mistake(
    "The pattern is right, the kind of number is not: what do `~` and `&` make of ones and zeros?"
)
def ones_and_zeros(f, x):
    return depends_on_reference(f, x).float()


@depends_on.mistake("Rows and columns are exchanged: which of the two counts outputs?")
def transposed(f, x):
    return depends_on_reference(f, x).T


@depends_on.mistake(
    "Inputs that you changed stay changed while you try the next one: your answer fills up from "
    "left to right."
)
def changes_pile_up(f, x):
    return tried(f, x, pile_up=True)


@depends_on.mistake(
    "A tiny leak is overlooked. Do you let outputs differ a little, or compute in fewer digits "
    "than x has?"
)
def with_tolerance(f, x):
    return tried(f, x, differ=lambda a, b: (a - b).abs() > 1e-5 * b.abs() + 1e-8)


@depends_on.mistake(
    "Where an output is −∞ before and after, the difference is NaN, and one NaN in a sum or a "
    "maximum hides what the other examples show. Need you subtract at all?"
)
def differences_added_up(f, x):
    def added(gaps):
        return gaps.flatten(0, 1).sum(0) > 0

    return tried(f, x, differ=lambda a, b: (a - b).abs(), pick=added)


@depends_on.mistake(
    "f should get x in the type in which it is: here x became float64, and a module in float32 or "
    "an embedding of tokens refuses that. Who asked for another type?"
)
def always_float64(f, x):
    return depends_on_reference(f, x.double())


@depends_on.mistake(
    "With a module in training mode everything seems to depend on everything. What moves there "
    "although no input does?"
)
def training_mode(f, x):
    return tried(f, x, evaluate=False)


@depends_on.mistake(
    "The module was in training mode, and you leave it in evaluation mode: its owner trains on "
    "without dropout."
)
def left_in_evaluation_mode(f, x):
    return tried(f, x, restore=False)


@depends_on.mistake(
    "The module was in evaluation mode, and you leave it in training mode. To which mode should it "
    "return?"
)
def always_back_to_training(f, x):
    moved = tried(f, x)
    return moved if not isinstance(f, nn.Module) else (f.train(), moved)[1]


@depends_on.mistake("Only one input is ever changed, the first. How many columns has the answer?")
def first_input_alone(f, x):
    return tried(f, x, inputs=lambda x: [0])


@depends_on.mistake("Only one input is ever changed, the last. How many columns has the answer?")
def last_input_alone(f, x):
    return tried(f, x, inputs=lambda x: [x.shape[1] - 1])


@depends_on.mistake(
    "You report the leaks alone, or hide what is allowed. The whole answer is asked for: what is "
    "allowed is judged later."
)
def only_what_looks_ahead(f, x):
    return depends_on_reference(f, x).triu()


@depends_on.mistake(
    "The part of the answer that looks ahead is cut off: this is what a causal model should do, "
    "not what this one does."
)
def only_what_is_allowed(f, x):
    return depends_on_reference(f, x).tril(-1)


@depends_on.mistake("True and False are exchanged: your True stands where nothing changes.")
def unchanged_is_true(f, x):
    return ~depends_on_reference(f, x)


@depends_on.mistake(
    "The answer is right, but x is not what it was: you try your changes on your caller's tensor."
)
def tried_on_x_itself(f, x):
    answer = depends_on_reference(f, x)
    x[:, -1] = x[:, -1].roll(1)
    return answer
