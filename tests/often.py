"""The command `gencourse`, which keeps a training on disk every fifth of a second.

Processes that it starts import this file too.
"""

from gencourse.training import checkpoint

checkpoint.SECONDS = 0.2

if __name__ == "__main__":
    from gencourse.__main__ import main

    main()
