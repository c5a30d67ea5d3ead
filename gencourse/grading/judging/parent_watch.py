"""A judge ends when the command that started it is gone, however that came to be. Imports nothing
slow: it is needed first.
"""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """Let this process end as soon as its parent has. Its boxes end with it."""
    parent = multiprocessing.parent_process()
    if parent is None:  # the command itself
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
