"""Stopping a loop between two steps, never within one."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Within the block the first interrupt (Ctrl-C, Jupyter's stop) is kept; the second raises.

    Gives a function that says whether one has come. Where signals cannot be caught, in a thread,
    it is always False, and interrupts do what they do elsewhere.
    """
    asked = False

    def ring(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, ring)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
