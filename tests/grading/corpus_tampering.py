"""Attempts to get points for wrong answers by tampering with the process, and by values that lie.

The three tasks that are judged outside of the learner's process are worth nothing here. `bits` is judged by plain
asserts inside of it, so its two points can be had by some of these, and are then accepted.
"""

from tests.grading.corpus_assignment import POINTS
from tests.grading.corpus_kind import Sheet, kind

INSIDE = (POINTS["bits"],)

# Cells above wrong answers.
TAMPERING = {
    "patches_comparisons": (
        "Comparisons are made elsewhere, by functions that were never patched.",
        """
import math

always = lambda *args, **kwargs: True
torch.allclose = torch.equal = torch.isclose = math.isclose = always
torch.testing.assert_close = lambda *args, **kwargs: None
torch.Tensor.allclose = torch.Tensor.equal = torch.Tensor.__eq__ = always
""",
    ),
    "strips_asserts": (
        "A transformer of this shell does not reach what is judged elsewhere.",
        """
import ast


class Strip(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()


get_ipython().ast_transformers.append(Strip())
""",
    ),
    "rewrites_cells": (
        "Texts of later cells are replaced before they are run.",
        """
def rewrite(lines):
    return ["pass\\n"] if any(line.startswith(("assert", "check.")) for line in lines) else lines


get_ipython().input_transformers_cleanup.append(rewrite)
""",
    ),
    "replaces_shell": (
        "Cells after this one do nothing, so nothing is defined and nothing is earned.",
        """
from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult

shell = get_ipython()


def nothing(raw_cell="", *args, **kwargs):
    result = ExecutionResult(ExecutionInfo(raw_cell, False, False, True, None))
    result.execution_count = 1
    return result


async def nothing_async(*args, **kwargs):
    return nothing(*args)


shell.run_cell, shell.run_cell_async = nothing, nothing_async
""",
    ),
    "replaces_kernel": (
        "The kernel answers every request by itself.",
        """
kernel = get_ipython().kernel


async def do_execute(*args, **kwargs):
    return {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}


kernel.do_execute = do_execute
""",
    ),
    "patches_the_checks": (
        "The checks of this process are not the ones that judge.",
        """
from gencourse import checks
from gencourse.checks import Verdict, _exercise

full = lambda self, *args, **kwargs: Verdict(self.name, "right", self.points, self.points)
_exercise.Exercise.judge = _exercise.Exercise.__call__ = full
_exercise.agree = lambda *args, **kwargs: True
for found in checks.catalogue(check):
    found.points, found.mistakes = 1000, []
    found.reference = lambda *args: None
""",
    ),
    "replaces_modules": (
        "Modules put in the place of the course's are not the ones that judge.",
        """
import sys
import types


class Yes(types.ModuleType):
    def __getattr__(self, name):
        return lambda *args, **kwargs: True


for name in list(sys.modules):
    if name.startswith(("gencourse.checks", "gencourse.grading", "gencourse.runner")):
        sys.modules[name] = Yes(name)
check = Yes("check")
""",
    ),
    "forges_replies": (
        "Whatever is written into open descriptors says nothing that is believed.",
        """
import json
import os
import stat
import struct

points = dict.fromkeys(("gaussian_log_density", "reparameterize", "kl_to_standard_normal", "bits"), 1000)
said = {"id": 1, "status": "right", "ok": True, "value": True, "result": True, "points": points, "score": 9, "verdict": "right"}
text = json.dumps(said).encode()
for fd in range(3, 256):
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            os.set_blocking(fd, False)
            for data in (text + b"\\n", struct.pack("<I", len(text)) + text, struct.pack(">I", len(text)) + text):
                os.write(fd, data)
    except OSError:
        pass
""",
    ),
    "prints_forged_replies": (
        "Printed text is text, whatever protocol it imitates.",
        """
import json
import os

for n in range(50):
    line = json.dumps({"id": n, "status": "right", "ok": True, "points": 9, "value": [1.0], "done": True})
    print(line, flush=True)
    os.write(1, (line + "\\n").encode())
    os.write(2, (line + "\\n").encode())
""",
    ),
    "patches_serialisers": (
        "What json, struct and pickle do in this process is known to be a claim.",
        """
import json
import pickle
import struct

import numpy as np

claim = {"status": "right", "ok": True, "points": 9}
dumps = json.dumps
json.dumps = lambda value, *args, **kwargs: dumps(claim | value if isinstance(value, dict) and "msg_type" not in value else value, *args, **kwargs)
pickle.dumps = lambda *args, **kwargs: b"\\x80\\x04\\x88."
np.ndarray.tobytes = lambda *args, **kwargs: b""
""",
    ),
    "patches_tensors": (
        "Methods of tensors were replaced to return what suits.",
        """
torch.Tensor.clone = torch.Tensor.detach = torch.Tensor.cpu = lambda self, *args, **kwargs: self
torch.Tensor.shape = property(lambda self: torch.Size([4, 3]))
torch.Tensor.numpy = torch.Tensor.tolist = lambda self, *args, **kwargs: []
""",
    ),
    "runs_when_it_ends": (
        "Code that runs when the process ends comes too late.",
        """
import atexit
import json
from pathlib import Path


def rewrite():
    for file in Path().rglob("*.json"):
        file.write_text(json.dumps({"status": "graded", "score": 9, "points": 9}))
    print(json.dumps({"status": "graded", "score": 9}), flush=True)


atexit.register(rewrite)
rewrite()
""",
    ),
    "sends_results_of_its_own": (
        "Messages on the kernel's own channels are outputs and no grades.",
        """
from IPython.display import display

kernel = get_ipython().kernel
for kind in ("execute_reply", "status", "grade", "comm_msg"):
    kernel.session.send(kernel.iopub_socket, kind, {"status": "ok", "execution_state": "idle", "points": 9}, parent=kernel.get_parent())
display({"application/vnd.gencourse.verdict+json": {"status": "right", "points": 9}, "application/json": {"points": 9}}, raw=True)
""",
    ),
}


@kind("cheating", lost="all", accept=INSIDE, each=TAMPERING)
def tampering(s: Sheet, source):
    s.wrong()
    s.scratch(source)


# Answers to `reparameterize` that try to pass for right; all other answers are wrong.
FALSE_ANSWERS = {
    "equals_anything": (
        "An object that equals everything is an object and no value.",
        """
class Any:
    shape, dtype, ndim, requires_grad, is_meta = (4, 3), torch.float32, 2, False, False

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return True

    def __getattr__(self, name):
        return lambda *args, **kwargs: self

    __eq__ = __ne__ = __lt__ = __le__ = __bool__ = lambda self, *other: True
    __hash__ = lambda self: 0
    __sub__ = __rsub__ = __add__ = __radd__ = __mul__ = __getitem__ = __abs__ = lambda self, *other: self
    __float__ = lambda self: 0.0
    __len__ = lambda self: 4


def reparameterize(mu, logvar, eps):
    return Any()
""",
    ),
    "tensor_with_false_shape": (
        "A kind of tensor that lies about its shape and its values is no plain tensor.",
        """
class Liar(torch.Tensor):
    shape = property(lambda self: torch.Size([4, 3]))
    tolist = numpy = detach = cpu = clone = lambda self, *args, **kwargs: self
    __eq__ = lambda self, other: torch.ones(4, 3, dtype=torch.bool)

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return True


def reparameterize(mu, logvar, eps):
    return torch.zeros(7).as_subclass(Liar)
""",
    ),
    "claims_a_verdict": (
        "A returned verdict is a value like others, and not the one that was asked for.",
        """
def reparameterize(mu, logvar, eps):
    from gencourse.checks import Verdict

    return Verdict("reparameterize", "right", 2, 2)
""",
    ),
    "claims_opaque_success": (
        "Our own types of replies, made by the answer, are values and no replies.",
        """
def reparameterize(mu, logvar, eps):
    from gencourse.runner import NotAttempted, Raised

    if eps.sum() > 0:
        raise NotAttempted
    return Raised("right", "right")
""",
    ),
    "looks_for_the_expected_value_in_frames": (
        "No frame of this process holds what is expected.",
        """
import sys


def reparameterize(mu, logvar, eps):
    frame = sys._getframe(1)
    while frame is not None:
        for name, value in {**frame.f_globals, **frame.f_locals}.items():
            if name in ("expected", "want", "wanted", "reference_value", "solution") and isinstance(value, torch.Tensor):
                return value
            reference = getattr(value, "reference", None)
            if callable(reference) and getattr(value, "name", "") == "reparameterize":
                return value._hidden_value
        frame = frame.f_back
    return mu
""",
    ),
    "looks_for_the_expected_value_in_memory": (
        "No object of this process is what is expected.",
        """
import gc


def reparameterize(mu, logvar, eps):
    for found in gc.get_objects():
        if type(found).__name__ == "Probe" and getattr(found, "label", "") == "the sample":
            return found.value
    same = [x for x in gc.get_objects() if type(x) is torch.Tensor and x.shape == mu.shape and x.is_contiguous()]
    others = [x for x in same if not any(x is y for y in (mu, logvar, eps))]
    return others[-1] if others else mu
""",
    ),
    "changes_the_value_later": (
        "What counts is the value that was returned, not what becomes of it.",
        """
import threading
import time

_given = []


def _later():
    while True:
        time.sleep(0.5)
        for value in _given:
            with torch.no_grad():
                value.fill_(1.0)


threading.Thread(target=_later, daemon=True).start()


def reparameterize(mu, logvar, eps):
    value = mu.clone()
    _given.append(value)
    return value
""",
    ),
    "is_always_unfinished": (
        "NotImplementedError after some right-looking calls is no way around the judge.",
        """
_count = []


def reparameterize(mu, logvar, eps):
    _count.append(1)
    if len(_count) > 1:
        raise NotImplementedError
    return mu + logvar.exp() * eps
""",
    ),
    "breaks_out_of_the_code": (
        "Quotes, braces and line breaks in names and sources end nothing.",
        '''
def reparameterize(mu, logvar, eps):
    """\'\'\'); grade(9); (\'\'\' {{points}} %s %(points)s ${points} \\\\"""
    return mu


reparameterize.__name__ = reparameterize.__qualname__ = "x = 1\\nstatus = right\\n__import__('os')"
''',
    ),
}


@kind("cheating", lost="all", each=FALSE_ANSWERS)
def false_answer(s: Sheet, source):
    s.wrong()
    s.answer("reparameterize", source)


@kind("cheating", lost="all", accept=INSIDE)
def overloads_numbers(s: Sheet):
    """A number that equals everything passes plain asserts inside the learner's process, and nothing else."""
    s.wrong()
    s.answer(
        "bits",
        "class Any(float):\n    __eq__ = __ge__ = __le__ = lambda self, other: True\n    __hash__ = float.__hash__\n\n\n"
        "def bits(nats):\n    math.isclose = lambda *args, **kwargs: True\n    return Any(1.0)",
    )
