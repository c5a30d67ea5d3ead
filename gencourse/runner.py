"""Calling a learner's answer, alone or beside a probe, and making plain data of what comes back.

A check never sees a learner's objects: it sees values. In a notebook the answer is called in the
notebook's process, in the grader in the process that holds the answer; both use `run`, so that both
see the same.
"""

import contextlib
import inspect
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gencourse.harm import Watch, elsewhere, frozen, neutral, unchanged
from gencourse.stress import STRESSES

Guard = Callable[[], contextlib.AbstractContextManager]


@dataclass(frozen=True)
class Raised:
    """An exception in the learner's code, as a value."""

    kind: str
    message: str
    line: str = ""


@dataclass(frozen=True)
class Opaque:
    """An object that is no data: only the name of its type is kept."""

    kind: str


@dataclass(frozen=True)
class Outcome:
    """What came of one run: its value as plain data, and what was noticed on the way.

    `harm` names what the answer changed and should perhaps have left alone, as (what, where) pairs;
    `empty` says that every call of the answer returned None; `stressed` that the stress changed an
    argument.
    """

    value: object
    harm: tuple[tuple[str, str], ...] = ()
    empty: bool = False
    stressed: bool = False


class NotAttempted(Exception):
    """The answer raised NotImplementedError: there is nothing to judge yet.

    Its text says more where there is more.
    """


class Watched:
    """A learner's answer as a probe calls it.

    Every call gets copies of its tensors, lists and dicts, transformed by the stress of that name,
    and is watched for harm. `guard()` is a context in which the answer's own code runs, and nothing
    else.
    """

    def __init__(
        self, answer: Callable, stress: str = "", guard: Guard = contextlib.nullcontext
    ) -> None:
        self.answer, self.guard = answer, guard
        self.transform = STRESSES[stress] if stress else None
        self.harm: set[tuple[str, str]] = set()
        self.results: list[object] = []  # the last; of the others only whether they were None
        self.earlier: object = None  # the result before, which later calls have to leave alone
        self.error: BaseException | None = None
        self.stressed = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the answer with copies of the arguments, and note what it changes."""
        args, kwargs = copied(args), copied(kwargs)
        if self.transform is not None:
            args, kwargs, changed = self.transform(self._guarded, args, kwargs)
            self.stressed = self.stressed or changed
        watch = Watch(args, kwargs)
        result = self._guarded(*args, **kwargs)
        self.harm |= watch.harm(args, kwargs) | elsewhere(result)
        self.results = [*(r if r is None else ... for r in self.results), result]
        return result

    def _guarded(self, *args: Any, **kwargs: Any) -> Any:
        earlier = frozen(self.earlier)
        try:
            with self.guard():
                result = self.answer(*args, **kwargs)
        except BaseException as error:
            self.error = error
            raise
        if not unchanged(earlier, self.earlier):
            self.harm.add(("result", ""))
        self.earlier = result
        return result


def run(
    probe: Callable | None,
    answer: Callable,
    args: tuple,
    kwargs: dict,
    stress: str = "",
    guard: Guard = contextlib.nullcontext,
) -> Outcome:
    """Call the answer, or a probe with the answer as its first argument, and say what came of it.

    An exception is a value, Raised. Raises NotAttempted for a stub. Afterwards torch's modes are as
    they were.
    """
    watched = Watched(answer, stress, guard)
    args, kwargs = copied(args, generators=True), copied(kwargs, generators=True)
    with neutral(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the trial's situations are none that a learner made
        try:
            value = plain(probe(watched, *args, **kwargs) if probe else watched(*args, **kwargs))
        except KeyboardInterrupt:
            raise
        # whatever else an answer raises is a finding, never a crash of the notebook
        except BaseException as error:
            if watched.error is None and not watched.results:
                raise  # a fault of the probe itself, before it has called anything
            if _unwritten(error):
                raise NotAttempted(_unreached(error)) from None
            value = (
                raised(error) if error is watched.error else unusable(watched.results[-1], error)
            )
    empty = bool(watched.results) and all(result is None for result in watched.results)
    return Outcome(value, tuple(sorted(watched.harm)), empty, watched.stressed)


def unusable(result: object, error: BaseException) -> Raised:
    """In the place of an exception in a probe: what the answer returned, and what then failed."""
    said = f"It returned {_kind(result)}, and the rest of the program could not go on with that"
    said += f", or with what it had changed ({type(error).__name__}: {_text(error)[:160]})."
    if result is None:
        said += " If something is to be returned, does every path end with `return`?"
    return Raised("Unusable", said)


def _kind(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    if inspect.isgenerator(value):
        return "a generator (`yield` in the place of `return`)"
    if inspect.iscoroutine(value):
        value.close()
        return "a coroutine (`async def` in the place of `def`)"
    return f"an object of type {type(value).__name__}"


def copied(value: Any, generators: bool = False, known: dict[int, Tensor] | None = None) -> Any:
    """A tensor's clone; lists, tuples and dicts anew, with copies of what they hold.

    Generators are copied where asked for. A tensor that is held twice stays one tensor.
    """
    known = {} if known is None else known
    if isinstance(value, Tensor):
        if id(value) not in known:
            known[id(value)] = value if isinstance(value, torch.nn.Parameter) else value.clone()
        return known[id(value)]
    if isinstance(value, dict):
        return {key: copied(item, generators, known) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(copied(item, generators, known) for item in value)
    if generators and isinstance(value, torch.Generator):
        return torch.Generator(value.device).set_state(value.get_state())
    return value


def plain(value: Any) -> Any:
    """Tensors (detached copies on the CPU), numbers, text, None and containers of these.

    Anything else is Opaque.
    """
    if isinstance(value, Tensor):
        return _plain_tensor(value)
    if isinstance(value, int) and abs(value) >= 2**63:
        return Opaque("int, beyond 64 bits")
    if value is None or isinstance(value, bool | int | float | str | Raised | Opaque):
        return value
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind not in "biuf":
            return Opaque(type(value).__name__)
        kind = {"b": bool, "f": np.float64}.get(value.dtype.kind, np.int64)
        return torch.from_numpy(np.array(value, dtype=kind, order="C"))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if inspect.iscoroutine(value):
        value.close()
    return Opaque(type(value).__name__)


def _plain_tensor(value: Tensor) -> Tensor | Opaque:
    if type(value) not in (Tensor, torch.nn.Parameter):
        return Opaque(type(value).__name__)
    unusual = {
        "nested": value.is_nested,
        "sparse": value.layout != torch.strided,
        "quantized": value.is_quantized,
        "on the meta device": value.is_meta,
        "complex": value.is_complex(),
    }
    if any(unusual.values()):
        return Opaque("Tensor, " + ", ".join(word for word, is_so in unusual.items() if is_so))
    return value.detach().cpu().clone()


def raised(error: BaseException) -> Raised:
    """An exception as a value, with the learner's line where a notebook's cell holds it."""
    return Raised(type(error).__name__, _text(error), _learners_line(error))


def _unwritten(error: BaseException) -> bool:
    """Whether this is the stub's bare `raise NotImplementedError()`.

    One from inside torch or another package is not.
    """
    bare = isinstance(error, NotImplementedError) and not error.args
    return bare and "-packages" not in traceback.extract_tb(error.__traceback__)[-1].filename


def _unreached(error: BaseException) -> str:
    """A sentence where the function of a stub's `raise` holds code of the learner's beside it.

    That code cannot count.
    """
    frame = list(traceback.walk_tb(error.__traceback__))[-1][0]
    try:
        source = inspect.getsource(frame.f_code)
    except (OSError, TypeError):
        return ""
    lines = [line.split("#")[0].strip() for line in source.splitlines()]
    body = "\n".join(line for line in lines if line and not line.startswith("@"))
    body = body.split('"""')[-1] if body.count('"""') >= 2 else body.partition(":\n")[2]
    statements = [line for line in body.splitlines() if line]
    stubs = [i for i, line in enumerate(statements) if line.startswith("raise NotImplementedError")]
    if not stubs or len(statements) == len(stubs):
        return ""
    if any(i > stubs[0] for i in range(len(statements)) if i not in stubs):
        return (
            "Your code never runs: the line `raise NotImplementedError()` above it ends the "
            "function. Delete that line."
        )
    return (
        "Your function ends in `raise NotImplementedError()`. Delete that line, and return your "
        "result."
    )


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        return "(its text cannot be shown)"
    return text if len(text) <= 300 else text[:300] + " …"


def cells_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The places in cells of a notebook through which an exception came, the outermost first."""
    return [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "ipykernel" in frame.filename or frame.filename.startswith("<ipython")
    ]


def _learners_line(error: BaseException) -> str:
    frames = cells_frames(error)
    if not frames or not frames[-1].line:
        return ""
    return f" (line {frames[-1].lineno} of your cell: `{frames[-1].line}`)"
