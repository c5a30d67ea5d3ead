"""How a judge's process begins: with one thread, and to end when the command that started it is
gone, however that came to be. Imports nothing slow: it is needed before torch.
"""

import multiprocessing
import os
import threading


def begin() -> None:
    """Let torch compute in one thread, since there are as many judges as cores. End when the parent
    has; the boxes end with this process.
    """
    parent = multiprocessing.parent_process()
    if parent is None:  # the command itself
        return
    os.environ["OMP_NUM_THREADS"] = "1"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
