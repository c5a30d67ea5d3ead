"""A corpus of submissions to the small assignment, from careful to hostile, each with its ground truth.

    python -m tests.grading.corpus FOLDER [--leak FOLDER] [--port N] [--secret-env NAME]

writes FOLDER/<kind>/small.ipynb for every kind and FOLDER/expected.json. The hostile ones are bounded: without any
sandbox they take up to 4 GiB of memory, 300 processes for a minute and 600 MiB of disk, and they kill their parent.
"""

# POSIX: links and pipes that are handed in; the tests that write them are skipped on Windows

import argparse
import functools
import json
import os
from dataclasses import asdict
from pathlib import Path

from nbformat import NotebookNode

from tests.grading import (  # noqa: F401  (each registers its kinds when imported)
    corpus_broken,
    corpus_cheating,
    corpus_copying,
    corpus_edited,
    corpus_escaping,
    corpus_habits,
    corpus_honest,
    corpus_leaking,
    corpus_moved,
    corpus_processes,
    corpus_results,
    corpus_shown,
    corpus_tampering,
    corpus_unreadable,
)
from tests.grading.corpus_assignment import notebooks
from tests.grading.corpus_kind import Kind, Place, Special, made


def kinds(
    released: NotebookNode, solved: NotebookNode, leak: Path, port: int, secret_env: str
) -> list[Kind]:
    """All kinds. The arguments `leak`, `port` and `secret_env` say where hostile ones look and leave evidence."""
    return made(released, solved, Place(Path(leak), port, secret_env))


@functools.cache
def on_paper() -> list[Kind]:
    """All kinds with nothing at the places where hostile ones look: for reading, not for grading."""
    return kinds(*notebooks(), leak=Path("/nonexistent/leak"), port=9, secret_env="NO_SUCH_SECRET")


def write(corpus: list[Kind], folder: Path) -> None:
    """Write every kind to a folder of its own, and the ground truths to expected.json."""
    for kind in corpus:
        home = folder / kind.name
        home.mkdir(parents=True, exist_ok=True)
        for name, content in kind.files.items():
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                _write_special(path, content)
    truths = {kind.name: truth(kind) for kind in corpus}
    (folder / "expected.json").write_text(
        json.dumps(truths, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )


def truth(kind: Kind) -> dict:
    """The ground truth of a kind as plain data."""
    return {
        "class": kind.group,
        "why": kind.why,
        "honest": kind.honest,
        "total": kind.total,
        "accept": kind.accept,
        "expect_flag": kind.expect_flag,
        "status": kind.status,
        "also_status": kind.also_status,
        "canary": asdict(kind.canary),
    }


def _write_special(path: Path, special: Special) -> None:
    if special.what == "symlink":
        if special.head:
            target = path.parent / special.target
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(special.head)
        path.symlink_to(special.target)
    elif special.what == "folder":
        path.mkdir()
    elif special.what == "fifo":
        os.mkfifo(path)
    else:
        with path.open("wb") as file:
            file.write(special.head)
            for _ in range(special.times):
                file.write(special.body)
            file.write(special.tail)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the corpus of submissions.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--leak", type=Path, default=Path("/tmp/gencourse-corpus-leak"))
    parser.add_argument("--port", type=int, default=47631)
    parser.add_argument("--secret-env", default="GENCOURSE_CORPUS_SECRET")
    asked = parser.parse_args()
    corpus = kinds(*notebooks(), leak=asked.leak, port=asked.port, secret_env=asked.secret_env)
    write(corpus, asked.folder)
    print(f"{len(corpus)} kinds of submissions in {asked.folder}")


if __name__ == "__main__":
    main()
