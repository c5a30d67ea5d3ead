"""A limit for the judge's own time, whatever it is busy with."""

# POSIX: the judge's alarm, where there are alarms

import contextlib
import faulthandler
import signal
import sys
import threading
from collections.abc import Iterator


class TookTooLong(BaseException):
    """The judge's own time is over. No Exception, so that no answer is blamed for it."""


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise TookTooLong once this has taken so many seconds; where that is not heard for half as
    many again, end the process.

    Signals are heard by a process's main thread alone, which is the judge's but for a Dask cluster.
    """

    def ring(*_: object) -> None:
        raise TookTooLong

    heard = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    before = signal.signal(signal.SIGALRM, ring) if heard else None
    faulthandler.dump_traceback_later(1.5 * seconds, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        if heard:
            signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        if heard:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()
