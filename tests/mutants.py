"""Wrong answers made by small changes to right ones, and which of them the checks accept.

    python -m tests.mutants gan.spectral_norm [vae ...]      exercises, chapters, or all

The reference and every right form are changed in one place: a sign, an axis, mean for sum, a
constant, a comparison, a slice, a call or a statement left out, arguments exchanged, a result
detached, negated, squeezed, clamped, scaled, an argument changed in place. What is still accepted
is right for every input that the text allows, or shows a weak trial.
"""

# POSIX: answers that do not end are ended by a signal

import ast
import copy
import functools
import inspect
import re
import signal
import sys
import textwrap
import warnings
from collections import Counter
from collections.abc import Callable, Iterator

import torch

from gencourse import runtime
from gencourse.checks import Exercise
from gencourse.checks._exercise import SEEDS
from gencourse.checks._trial import Recording, locally
from gencourse.runner import NotAttempted
from tests.lanes import exercises

SHARED = "gencourse.checks._steps"  # with functions that answers of several exercises call
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Div,
}
COMPARISONS = {
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
METHODS = dict(
    pair.split()
    for line in (
        "sum mean, max min, amax amin, exp log1p, log log1p, sigmoid tanh, softmax log_softmax",
        "zeros ones, zeros_like ones_like, randn rand, tril triu, argmax argmin, cumsum cumprod",
    )
    for pair in [*line.split(", "), *(" ".join(reversed(p.split())) for p in line.split(", "))]
) | {"logsigmoid": "sigmoid", "eval": "train", "floor": "ceil"}
RESULTS = {
    "negated": "-({})",
    "doubled": "2 * ({})",
    "detached": "({}).detach()",
    "squeezed": "({}).squeeze()",
    "clamped": "({}).clamp(-4, 4)",
    "half": "({}).half()",
    "averaged": "({0}).mean(0, keepdim=True).expand_as({0})",
    "with a trailing axis": "({})[..., None]",
    "rounded": "({}).round()",
    "off by a little": "({}) + 1e-3",
    "as a list": "({}).tolist()",
    "as an item": "({}).item()",
    "without its sign": "abs({})",
}
OF_TENSORS = {"scaled in place": "{0}.mul_(1.5)", "zeroed after use": "{0}.zero_()"}
OF_FLOATS = {"rounded": "{0} = round({0})", "at least 1": "{0} = max({0}, 1)"}
OF_GRAPHS = {"detached": "{0} = {0}.detach()"}
SECONDS = 10  # of the processor for one verdict; a loop without end is no answer


class TooLong(BaseException):
    """A mutant that does not end."""


def mutants(exercise: Exercise, answer: Callable) -> Iterator[tuple[str, Callable]]:
    """What was changed, and the changed answer, for each place in it and in its helpers."""
    answer = inspect.unwrap(answer)
    kinds = argument_kinds(exercise, answer)
    times: Counter[str] = Counter()
    for function in (answer, *helpers(answer)):
        tree = parsed(function)
        if tree is None:
            continue
        seen = {ast.dump(tree)}
        own = kinds if function is answer else {}
        for what, mutant in changes(tree, own, function is answer):
            if (key := ast.dump(mutant)) in seen:
                continue
            seen.add(key)
            made = built(function, mutant, answer)
            if made is not None:
                where = what if function is answer else f"in {function.__name__}: {what}"
                times[where] += 1
                yield (f"{where} ({times[where]})" if times[where] > 1 else where), made


def parsed(function: Callable) -> ast.FunctionDef | ast.ClassDef | None:
    """The syntax tree of a function or class, without the decorator that registers it."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError):
        return None
    if not isinstance(tree, ast.FunctionDef | ast.ClassDef):
        return None
    registers = re.compile(r"\w+\.(alternative|mistake)\b")
    tree.decorator_list = [d for d in tree.decorator_list if not registers.match(ast.unparse(d))]
    tree.body = [statement for statement in tree.body if not refuses(statement)] or tree.body
    return tree


def refuses(statement: ast.stmt) -> bool:
    """Whether a statement only looks at arguments that no exercise promises to refuse."""
    if isinstance(statement, ast.If):
        return all(isinstance(one, ast.Raise) for one in statement.body) and not statement.orelse
    return isinstance(statement, ast.Expr) and ast.unparse(statement).startswith("require_")


def helpers(answer: Callable) -> list[Callable]:
    """The functions of its own module, or shared by exercises, that an answer calls by name."""
    tree = parsed(answer)
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)] if tree else []
    named = [inspect.unwrap(globals_of(answer).get(name)) for name in dict.fromkeys(names)]
    modules = (answer.__module__, SHARED)
    own = [f for f in named if inspect.isfunction(f) and f.__module__ in modules]
    return [f for f in own if f is not answer and not f.__name__.startswith("require_")]


def globals_of(answer: Callable) -> dict[str, object]:
    """The names that a function or class can see."""
    return getattr(answer, "__globals__", None) or vars(sys.modules[answer.__module__])


def argument_kinds(exercise: Exercise, answer: Callable) -> dict[str, set[str]]:
    """What kinds of values the trial passes, by the names of the answer's parameters."""
    names, kinds = list(inspect.signature(answer).parameters), {}

    @functools.wraps(answer)
    def recorded(*args, **kwargs):
        for name, value in {**dict(zip(names, args, strict=False)), **kwargs}.items():
            found = kinds.setdefault(name, set())
            found.add("tensor" if isinstance(value, torch.Tensor) else type(value).__name__)
            if getattr(value, "requires_grad", False) is True:
                found.add("graph")
        return answer(*args, **kwargs)

    exercise.observe(locally(recorded), SEEDS[0])
    return kinds


def changes(
    function: ast.FunctionDef, kinds: dict[str, set[str]], top: bool
) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The changed functions; results and arguments are changed in the answer itself only."""
    for i, node in enumerate(ast.walk(function)):
        for what, change in at(node):
            if top or not what.startswith("result "):
                mutant = copy.deepcopy(function)
                change(list(ast.walk(mutant))[i], mutant)
                yield f"{what}: {shown(function, node)}", mutant
    docstring = int(ast.get_docstring(function) is not None)
    for name, found in kinds.items():
        lines = dict(OF_TENSORS if "tensor" in found else {})
        lines |= OF_FLOATS if "float" in found else {}
        lines |= OF_GRAPHS if "graph" in found else {}
        for what, line in lines.items():
            mutant = copy.deepcopy(function)
            extra = ast.parse(line.format(name)).body
            last = mutant.body[-1]
            if "after" not in what:
                mutant.body[docstring:docstring] = extra
            elif isinstance(last, ast.Return) and last.value is not None:
                kept = ast.Assign([ast.Name("_kept", ast.Store())], last.value)
                mutant.body[-1:] = [kept, *extra, ast.Return(ast.Name("_kept", ast.Load()))]
            else:
                continue
            yield f"argument {name} {what}", mutant


def shown(function: ast.FunctionDef, node: ast.AST) -> str:
    """The first line of a node's code; of a number or a slice, of the expression it stands in."""
    above = {child: one for one in ast.walk(function) for child in ast.iter_child_nodes(one)}
    while isinstance(node, ast.Constant | ast.UnaryOp | ast.Slice | ast.Tuple | ast.keyword):
        node = above[node]
    return textwrap.shorten(ast.unparse(node).splitlines()[0], 100, placeholder=" …")


def at(node: ast.AST) -> Iterator[tuple[str, Callable[[ast.AST, ast.FunctionDef], object]]]:
    """The changes that apply at a node: what, and a function of the node's copy and its tree."""
    match node:
        case ast.BinOp(op=op) if type(op) in OPERATORS:
            yield "operator", lambda n, f: setattr(n, "op", OPERATORS[type(n.op)]())
        case ast.UnaryOp(op=ast.USub()):
            yield "minus dropped", lambda n, f: setattr(n, "op", ast.UAdd())
        case ast.Compare(ops=[op, *_]) if type(op) in COMPARISONS:
            yield "comparison", lambda n, f: setattr(n, "ops", other(n.ops))
        case ast.Constant(value=bool()):
            yield "truth", lambda n, f: setattr(n, "value", not n.value)
        case ast.Constant(value=int() | float()):
            yield "constant + 1", lambda n, f: setattr(n, "value", n.value + 1)
            yield "constant - 1", lambda n, f: setattr(n, "value", n.value - 1)
            if node.value not in (0, 1):
                yield "constant doubled", lambda n, f: setattr(n, "value", 2 * n.value)
        case ast.Call():
            yield from at_call(node)
        case ast.Slice(lower=lower, upper=upper):
            for end, value in (("lower", lower), ("upper", upper)):
                if value is not None:
                    yield f"slice {end} + 1", functools.partial(shift, end)
        case ast.If() | ast.IfExp():
            yield "always", lambda n, f: setattr(n, "test", ast.Constant(True))
            yield "never", lambda n, f: setattr(n, "test", ast.Constant(False))
        case ast.AugAssign() | ast.Expr(value=ast.Call()):
            yield "statement left out", lambda n, f: swap(f, n, ast.Pass())
        case ast.With():
            yield "with left out", lambda n, f: swap(f, n, ast.If(ast.Constant(True), n.body, []))
        case ast.Return(value=ast.expr()):
            for what, form in RESULTS.items():
                yield f"result {what}", functools.partial(result, form)
        case ast.FunctionDef(decorator_list=[_, *_]):
            yield "decorator left out", lambda n, f: n.decorator_list.pop()


def at_call(node: ast.Call) -> Iterator[tuple[str, Callable]]:
    """The changes to a call."""
    if isinstance(node.func, ast.Attribute):
        if node.func.attr in METHODS:
            yield "method", lambda n, f: setattr(n.func, "attr", METHODS[n.func.attr])
        yield "call left out", lambda n, f: swap(f, n, n.func.value)
    if len(node.args) >= 2 and ast.dump(node.args[0]) != ast.dump(node.args[1]):
        yield "arguments exchanged", lambda n, f: setattr(n, "args", [*n.args[1::-1], *n.args[2:]])
    if node.keywords:
        yield "keyword left out", lambda n, f: n.keywords.pop()


def other(operators: list[ast.cmpop]) -> list[ast.cmpop]:
    """Comparisons whose first one is another."""
    return [COMPARISONS[type(operators[0])](), *operators[1:]]


def shift(end: str, node: ast.AST, function: ast.FunctionDef) -> None:
    """One end of a slice moved by one."""
    setattr(node, end, ast.BinOp(getattr(node, end), ast.Add(), ast.Constant(1)))


def result(form: str, node: ast.AST, function: ast.FunctionDef) -> None:
    """A return of something made from what was returned."""
    node.value = ast.parse(form.format(f"({ast.unparse(node.value)})"), mode="eval").body


def swap(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    """Put a node in the place of another."""
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
            elif isinstance(value, list) and old in value:
                value[value.index(old)] = new


def built(original: Callable, mutant: ast.FunctionDef, answer: Callable) -> Callable | None:
    """The answer among its globals, with the mutant in its place or in its helper's."""
    module = ast.fix_missing_locations(ast.Module([mutant], []))
    names = dict(globals_of(original))
    try:
        exec(compile(module, "<mutant>", "exec"), names)
        if original is not answer:
            names = dict(globals_of(answer)) | {mutant.name: names[mutant.name]}
            tree = ast.Module([parsed(answer)], [])
            exec(compile(tree, "<answer>", "exec"), names)
    except (SyntaxError, TypeError, ValueError, NameError):
        return None
    return names[answer.__name__ if original is not answer else mutant.name]


def every_mutant(exercise: Exercise, every: int = 1) -> Iterator[tuple[str, Callable]]:
    """Of each right answer every n-th mutant, and what was changed in it: "by_hand: ..."."""
    for answer in (exercise.reference, *exercise.right_forms):
        for i, (what, mutant) in enumerate(mutants(exercise, answer)):
            if i % every == 0:
                yield f"{answer.__name__}: {what}", mutant


def accepted(exercise: Exercise, every: int = 1) -> tuple[list[str], list[str]]:
    """The mutants that were tried, every n-th of each answer, and those of them accepted."""
    tried, found = [], []
    for what, mutant in every_mutant(exercise, every):
        tried.append(what)
        if status(exercise, mutant) == "right":
            found.append(what)
    return tried, found


def status(exercise: Exercise, answer: Callable) -> str:
    """The verdict's status, or that there was none in time."""

    def ring(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, ring)  # the alarm belongs to pytest-timeout
    signal.setitimer(signal.ITIMER_PROF, SECONDS, SECONDS)
    try:
        wrong = any(differs(exercise, answer, seed) for seed in SEEDS)
        return "wrong" if wrong else exercise.judge(answer).status
    except TooLong:
        return "too long"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@runtime.on_cpu()
def differs(exercise: Exercise, answer: Callable, seed: int) -> bool:
    """Whether a value of the trial is not the reference's; the first one ends the trial."""
    want = exercise.expected(exercise.reference, seed).values
    seen = Recording(exercise.trial, answer, seed)
    try:
        return not exercise.same(seen, want)
    except NotAttempted:
        return True


def main(asked: list[str]) -> None:
    """Print what is accepted of the exercises or chapters that were named."""
    warnings.simplefilter("ignore")
    all_tried = all_found = 0
    for name, exercise in exercises().items():
        if asked and name not in asked and name.split(".")[0] not in asked:
            continue
        tried, found = accepted(exercise)
        all_tried, all_found = all_tried + len(tried), all_found + len(found)
        said = f"{name}: {len(tried)} mutants, {len(found)} accepted"
        print(said, *found, sep="\n    ", flush=True)
    print(f"{all_tried} mutants, {all_found} accepted")


if __name__ == "__main__":
    main(sys.argv[1:])
