"""Running a trial's code where an answer lives, and making plain data of what comes back.

A check never sees a learner's objects: it asks for values. In a notebook the code runs beside the answer, in a grader
in the process that holds the answer; both use `run`, so that both see the same.
"""

import ast
import textwrap
import traceback
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


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


def plain(value):
    """Tensors (detached copies on the CPU), numbers, text, None and containers of these; anything else is Opaque."""
    if isinstance(value, Tensor):
        return _plain_tensor(value)
    if isinstance(value, int) and abs(value) >= 2**63:
        return Opaque("int, beyond 64 bits")
    if value is None or isinstance(value, bool | int | float | str | Raised | Opaque):
        return value
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind not in "biuf":
            return Opaque(type(value).__name__)
        return torch.from_numpy(np.array(value, dtype=bool if value.dtype.kind == "b" else np.float64, order="C"))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return Opaque(type(value).__name__)


def _plain_tensor(value: Tensor):
    ordinary = type(value) in (Tensor, torch.nn.Parameter) and value.layout == torch.strided
    if not ordinary or value.is_nested or value.is_quantized or value.is_meta or value.is_complex():
        return Opaque(f"{type(value).__name__} ({value.layout}, {value.dtype}, {value.device})" if ordinary else type(value).__name__)
    return value.detach().cpu().clone()


class NotAttempted(Exception):
    """The answer raised NotImplementedError: there is nothing to judge yet."""


class AnswerRaised(Exception):
    """The answer raised something else, which ends the trial."""

    def __init__(self, raised: Raised):
        super().__init__(raised.message)
        self.raised = raised


def run(code: str, name: str, answer: object, inputs: dict):
    """Run `code` with `answer` under its `name` and the inputs as variables: the value of its last line as plain data.

    Every call gets copies of its inputs, also of tensors in lists, tuples and dicts, so that an answer that changes them
    spoils nothing. Raises NotAttempted for a stub, AnswerRaised for any other exception.
    """
    names = {"torch": torch, "nn": torch.nn, name: answer}
    names |= _copied(inputs)
    try:
        return plain(_run_block(textwrap.dedent(code).strip(), names))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever an answer raises is a finding, never a crash of the notebook
        if _unwritten(error):
            raise NotAttempted from None
        raise AnswerRaised(raised(error)) from None
    finally:
        torch.set_default_dtype(torch.float32)  # the answer may have changed it; a trial gives back what was there


def _copied(value):
    """A tensor's clone; lists, tuples and dicts anew, with copies of what they hold; anything else as it is."""
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return (list if isinstance(value, list) else tuple)(_copied(item) for item in value)
    return value


def raised(error: BaseException) -> Raised:
    """An exception as a value, with the learner's line where a notebook's cell holds it."""
    return Raised(type(error).__name__, _text(error), _learners_line(error))


def shown_call(code: str, name: str) -> str:
    """The line of a trial's code that a learner would know: the one that calls the answer, else the last."""
    lines = [line.strip() for line in textwrap.dedent(code).strip().splitlines()]
    return next((line for line in lines if f"{name}(" in line), lines[-1])


def _run_block(code: str, names: dict):
    """Execute statements in `names`; the value of the last one, an expression, is returned."""
    *body, last = ast.parse(code).body
    if body:
        exec(compile(ast.Module(body, []), "<trial>", "exec"), names)
    return eval(compile(ast.Expression(last.value), "<trial>", "eval"), names)


def _unwritten(error: BaseException) -> bool:
    """Whether this is the stub's bare `raise NotImplementedError()`, not one from inside torch or another package."""
    bare = isinstance(error, NotImplementedError) and not error.args
    return bare and "-packages" not in traceback.extract_tb(error.__traceback__)[-1].filename


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        return "(its text cannot be shown)"
    return text if len(text) <= 300 else text[:300] + " …"


def cells_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The places in cells of a notebook through which an exception came, the outermost first."""
    return [f for f in traceback.extract_tb(error.__traceback__) if "ipykernel" in f.filename or f.filename.startswith("<ipython")]


def _learners_line(error: BaseException) -> str:
    frames = cells_frames(error)
    return f" (line {frames[-1].lineno} of your cell: `{frames[-1].line}`)" if frames and frames[-1].line else ""
