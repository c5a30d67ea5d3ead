"""What brings the calls of a trial to the answer in the box, and back what may be believed."""

from collections.abc import Callable

import torch

from gencourse.errors import InputError
from gencourse.grading.judging.session import GradingSession
from gencourse.grading.sandbox.inside.wire import Malformed
from gencourse.harm import HARMS
from gencourse.runner import NotAttempted, Outcome, Raised

SENTENCE = 200  # characters of what a box says of its own value


class RemoteRunner:
    """Brings the calls of one trial to the answer in the box."""

    def __init__(self, session: GradingSession, name: str, stress: str) -> None:
        self.session, self.name, self.stress = session, name, stress
        self.seed: int | None = torch.initial_seed()  # goes with the first call

    def __call__(self, probe: Callable | None, args: tuple, kwargs: dict) -> Outcome:
        """What came of a call of the answer, or of a probe with it. Raises Malformed for a value
        that the box could not send.
        """
        message = {
            "do": "run",
            "name": self.name,
            "probe": self.probe_name(probe),
            "args": list(args),
            "kwargs": kwargs,
            "stress": self.stress,
            "seed": self.seed,
        }
        self.seed = None
        reply = self.session.request(message, self.session.limits.ask_s)
        if "unwritten" in reply:
            unwritten = reply["unwritten"]
            raise NotAttempted(unwritten if isinstance(unwritten, str) else "")
        if isinstance(reply.get("unsendable"), str):  # further calls would only take as long
            raise Malformed(reply["unsendable"][:SENTENCE])
        value = reply.get("value")
        if isinstance(value, Raised) and value.kind == "OwnImplementation":
            self.session.flag(
                "own-implementation",
                f"The answer to {self.name} calls the course's own implementation.",
            )
        return Outcome(
            value,
            noticed(reply.get("harm")),
            reply.get("empty") is True,
            reply.get("stressed") is True,
        )

    def probe_name(self, probe: Callable | None) -> str:
        """The name under which the box knows a probe."""
        if probe is None:
            return ""
        module = probe.__module__
        own = dict(self.session.job.assignment.probes)
        if not module.startswith("gencourse.probes.") and module not in own:
            raise InputError(
                f"{self.name}: the probe {probe.__name__} should stand in a module beside the "
                f"checks, such as my_probes.py, got {module}. What stands among the checks cannot "
                "go into the sandbox."
            )
        return f"{module}:{probe.__name__}"


def noticed(harm: object) -> tuple[tuple[str, str], ...]:
    """What a box says that a call changed; anything else that it says is nothing."""
    pairs = harm if isinstance(harm, list) else []
    pairs = [pair for pair in pairs if isinstance(pair, list) and len(pair) == 2]
    return tuple((what, where) for what, where in pairs if what in HARMS and isinstance(where, str))
