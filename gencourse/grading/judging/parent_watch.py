"""How a judge's process begins: it ends when the command that started it is gone, however that came
to be, and computes in one thread. Imports nothing slow: the watch is needed first.
"""

import multiprocessing
import os
import threading


def begin() -> None:
    """Let this process end as soon as its parent has, and its boxes with it. Judges are as many
    as cores: let each have one thread.
    """
    parent = multiprocessing.parent_process()
    if parent is None:  # the command itself
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    import torch

    torch.set_num_threads(1)
