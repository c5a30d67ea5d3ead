"""Run the notebooks of a folder, cell by cell, in this process, which pretends to be on another
system.

    python -m tests.pretended.notebooks windows exercises
"""

import importlib
import locale
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main(system: str, folder: str) -> None:
    """Say which cells raised, and end with status 1 if any did."""
    import matplotlib
    import nbformat
    from IPython.core.interactiveshell import InteractiveShell

    from tests.pretended.platforms import pretend

    matplotlib.use("agg")
    sys.modules.pop("__main__")  # the notebooks' own
    shell = InteractiveShell.instance()
    pretend(system)
    failed = cells = 0
    for path in sorted((ROOT / folder).glob("[0-9]*.ipynb")):
        shell.reset()
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                cells += 1
                done = shell.run_cell(cell.source)
                if not done.success:
                    failed += 1
                    print(f"FAILED: {path.name}: {done.error_in_exec or done.error_before_exec!r}")
                importlib.import_module("matplotlib.pyplot").close("all")
    print(f"{cells} cells, locale {locale.getpreferredencoding(False)}, {failed} failed")
    sys.exit(bool(failed) or not cells)


if __name__ == "__main__":
    main(*sys.argv[1:])
