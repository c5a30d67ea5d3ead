"""Running a trial's code where an answer lives, and making plain data of what comes back.

A check never sees a learner's objects: it asks for values. In a notebook the code runs beside the answer, in a grader
in the process that holds the answer; both use `run`, so that both see the same.
"""

import ast
import textwrap

import torch
from torch import Tensor, nn  # noqa: F401

from gencourse.runner import NotAttempted, Opaque, Raised, _unwritten, cells_frames, plain, raised  # noqa: F401


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
