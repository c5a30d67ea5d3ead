"""Run one notebook as Colab would: Colab's Python and versions, an empty folder, nothing but the
notebook in it.

    uv run python -m authoring.colab_sim notebooks/01_vae.ipynb --python python3.13

A virtual environment gets the versions of tests/data/colab-freeze.txt and a stand-in for
google.colab that IPython loads at its start, as on Colab. The first cell asks Colab's list of
notebooks from where it was opened, and a server here answers: from a fork of another owner, or,
with --opened drive, from Drive, so that the course's address counts. Git takes the working tree for
either repository (url.insteadOf), so nothing is pushed and no file is edited. The notebook runs
twice at smoke scale; the first run may add gencourse and nothing else, the second may change
nothing. The Linux wheels take 5 GB for as long as the script runs; UV_TORCH_BACKEND=cpu gets the
small ones where their index can be reached. Not simulated: Colab's front end, its GPU, its forms.
"""

import argparse
import contextlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from authoring import address

ROOT = Path(__file__).resolve().parent.parent
FORK = "https://github.com/another-owner/a-fork"
FREEZE = ROOT / "tests" / "data" / "colab-freeze.txt"
WATCHED = ("torch", "numpy")
SITE_PACKAGES = "lib/python3.*/site-packages"

STUB = '''"""A stand-in for Colab's own package: can be imported and loaded, without any effect."""


def load_ipython_extension(ipython):
    """Colab's IPython loads google.colab at its start."""
'''
IPYTHON_CONFIG = 'c.InteractiveShellApp.extensions = ["google.colab"]\n'
RUNNER = """
import sys, nbclient, nbformat
source, target, timeout = sys.argv[1:]
notebook = nbformat.read(source, as_version=4)
client = nbclient.NotebookClient(
    notebook, timeout=int(timeout), kernel_name="python3", allow_errors=True
)
client.execute()
nbformat.write(notebook, target)
"""


def main() -> int:
    """Build the environment, run the notebook twice, print the findings; 0 if all hold."""
    arguments = parse_arguments()
    path = opened_from(arguments.opened, arguments.notebook)
    with tempfile.TemporaryDirectory(prefix="colab-sim-") as folder, asked(path) as port:
        colab = Colab.build(Path(folder), arguments.python, port)
        before = colab.state()
        first = colab.run(arguments.notebook, arguments.timeout)
        between = colab.state()
        second = colab.run(arguments.notebook, arguments.timeout)
        after = colab.state()
        python = colab.call("--version").strip()
    findings = {
        "the notebook runs without an error": not first.errors,
        "gencourse is installed, and nothing else changes": changed(before, between)
        == {"gencourse"},
        "gencourse is from the repository that the notebook was opened from": (
            FORK if arguments.opened == "fork" else address.repository()
        )
        in between.packages.get("gencourse", ""),
        f"{' and '.join(WATCHED)} are the same": before.imported
        == between.imported
        == after.imported,
        "it runs a second time without an error": not second.errors,
        "the second run installs nothing": between == after,
    }
    print(
        f"{arguments.notebook.name}: {python}, "
        + ", ".join(
            f"{name} {before.packages[name]}" for name in (*WATCHED, "ipython", "ipywidgets")
        )
    )
    print(
        f"environment {colab.seconds:.0f} s, first run {first.seconds:.0f} s, second run "
        f"{second.seconds:.0f} s"
    )
    for finding, holds in findings.items():
        print(f"{'ok    ' if holds else 'FAILED'}  {finding}")
    print("changed packages:", ", ".join(sorted(changed(before, after))) or "none")
    for title, texts in (
        ("errors", first.errors or second.errors),
        ("stderr outputs", first.stderr),
    ):
        print(f"{title}: {len(texts)}", *texts, sep="\n")
    return 0 if all(findings.values()) else 1


def parse_arguments() -> argparse.Namespace:
    """The command line; the notebook must exist before 5 GB are unpacked for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument(
        "--python",
        default="python3.13",
        help="a Python of Colab's version: name or path (default: python3.13)",
    )
    parser.add_argument(
        "--opened",
        choices=("fork", "drive"),
        default="fork",
        help="from where Colab opened the notebook (default: a fork on GitHub)",
    )
    parser.add_argument(
        "--timeout", type=int, default=600, help="seconds that one cell may take (default: 600)"
    )
    arguments = parser.parse_args()
    if not arguments.notebook.is_file():
        parser.error(f"notebook should be a file, got {arguments.notebook}")
    return arguments


@dataclass
class Run:
    """One execution of the notebook: the errors and the stderr texts that it ended with, and its
    duration.
    """

    errors: list[str]
    stderr: list[str]
    seconds: float


@dataclass
class State:
    """What is installed: package -> version as pip states it, the watched packages' own word,
    package -> time of installation.
    """

    packages: dict[str, str]
    imported: str
    times: dict[str, int]


@dataclass
class Colab:
    """A virtual environment like Colab's, a repository with the working tree, and the port at which
    the list of notebooks is.
    """

    folder: Path
    port: int
    seconds: float

    @classmethod
    def build(cls, folder: Path, python: str, port: int) -> "Colab":
        """Create the environment and the repository below `folder`."""
        start = time.perf_counter()
        uv("venv", "--quiet", "--python", python, folder / "venv")
        pins = folder / "pins.txt"
        # "+cpu" and "+cu128" name builds that only PyTorch's own index has.
        pins.write_text(
            re.sub(r"\+\w+$", "", FREEZE.read_text(encoding="utf-8"), flags=re.M), encoding="utf-8"
        )
        # compiling 5 GB takes minutes, and saves none in so few runs
        quickly = ("--quiet", "--no-compile-bytecode", "--python", folder / "venv")
        uv("pip", "install", *quickly, "-r", pins)
        commit_working_tree(folder / "repository")
        (site,) = (folder / "venv").glob(SITE_PACKAGES)
        write(site / "google" / "colab" / "__init__.py", STUB)
        for module in ("drive", "files", "output"):
            write(
                site / "google" / "colab" / f"{module}.py",
                f'"""A stand-in for google.colab.{module}."""\n',
            )
        write(folder / "venv" / "etc" / "ipython" / "ipython_config.py", IPYTHON_CONFIG)
        return cls(folder, port, time.perf_counter() - start)

    def call(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        """Run the environment's Python, shut off from the caller's environment and home folder; its
        output.
        """
        binaries = self.folder / "venv" / "bin"
        home = cwd or self.folder
        environment = {
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": os.environ.get(
                "OMP_NUM_THREADS", "2"
            ),  # Colab's free machines have two cores
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # silences a warning of the debugger
            "GENCOURSE_SCALE": "smoke",
            "COLAB_JUPYTER_IP": "127.0.0.1",
            "KMP_TARGET_PORT": str(self.port),
            "GIT_CONFIG_COUNT": "2",
        }
        for number, place in enumerate((FORK, address.repository())):
            environment[f"GIT_CONFIG_KEY_{number}"] = f"url.{self.folder / 'repository'}.insteadOf"
            environment[f"GIT_CONFIG_VALUE_{number}"] = place
        done = subprocess.run(
            [binaries / "python", *arguments],
            cwd=home,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            check=True,
        )
        return done.stdout

    def state(self) -> State:
        """What is installed at this moment."""
        freeze = self.call("-m", "pip", "freeze", "--all").splitlines()
        (site,) = (self.folder / "venv").glob(SITE_PACKAGES)
        return State(
            packages=dict(re.split("==| @ ", line, maxsplit=1) for line in freeze),
            imported=self.call(
                "-c",
                (
                    f"import {', '.join(WATCHED)}; "
                    f"print({', '.join(f'{name}.__version__' for name in WATCHED)})"
                ),
            ),
            times={
                record.parent.name: record.stat().st_mtime_ns
                for record in site.glob("*.dist-info/RECORD")
            },
        )

    def run(self, notebook: Path, timeout: int) -> Run:
        """Execute a copy of the notebook in an empty folder, which is HOME as well."""
        start, executed = time.perf_counter(), self.folder / "executed.ipynb"
        with tempfile.TemporaryDirectory(dir=self.folder) as content:
            shutil.copy(notebook, content)
            try:
                self.call("-c", RUNNER, notebook.name, executed, str(timeout), cwd=Path(content))
                errors, stderr = problems(json.loads(executed.read_text(encoding="utf-8")))
            except subprocess.CalledProcessError:
                errors, stderr = (
                    ["  the run broke off (see above): a cell took too long, or the kernel died"],
                    [],
                )
        return Run(errors, stderr, time.perf_counter() - start)


def opened_from(where: str, notebook: Path) -> str:
    """The `path` that Colab lists for a notebook of a fork on GitHub, or in Drive."""
    page = f"{FORK}/blob/{address.ref()}/{notebook.parent.name}/{notebook.name}"
    return f"fileId={quote(page, safe='/')}" if where == "fork" else "fileId=1aB_2cD-3eF"


@contextlib.contextmanager
def asked(path: str) -> Iterator[int]:
    """A server that answers as Colab's list of notebooks does; its port."""

    class Sessions(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/api/sessions"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(json.dumps([{"name": "notebook.ipynb", "path": path}]).encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sessions) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def commit_working_tree(target: Path) -> None:
    """A repository with what would be pushed from here, on the branch or tag that is installed."""
    git = ["git", "-c", "user.name=colab_sim", "-c", "user.email=colab_sim@example.org"]
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    for words in (
        ("init", "--quiet", "--initial-branch", address.ref()),
        ("add", "--all", "--force"),
        ("commit", "--quiet", "--message", "The working tree"),
    ):
        subprocess.run([*git, *words], cwd=target, check=True)


def changed(before: State, after: State) -> set[str]:
    """The packages that were added, removed, or changed their version."""
    return {name for name, _ in before.packages.items() ^ after.packages.items()}


def problems(notebook: dict) -> tuple[list[str], list[str]]:
    """The errors and the stderr texts of an executed notebook, those inside Output widgets
    included.
    """
    code_cells = (cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    cells = [(f"code cell {number}", cell["outputs"]) for number, cell in enumerate(code_cells, 1)]
    widgets = (
        notebook["metadata"]
        .get("widgets", {})
        .get("application/vnd.jupyter.widget-state+json", {})
        .get("state", {})
    )
    cells += [
        ("an Output widget", widget["state"]["outputs"])
        for widget in widgets.values()
        if widget["state"].get("outputs")
    ]
    errors, stderr = [], []
    for place, outputs in cells:
        for output in outputs:
            if output["output_type"] == "error":
                errors.append(f"  {place}: {output['ename']}: {output['evalue']}")
            elif output.get("name") == "stderr":
                stderr.append(f"  {place}: {''.join(output['text']).strip()}")
    return errors, stderr


def uv(*arguments: str | Path) -> None:
    """Call uv: the one that started this script (uv run sets UV), else the one on PATH."""
    if subprocess.run([os.environ.get("UV", "uv"), *arguments], cwd=ROOT).returncode:
        sys.exit(f"uv {arguments[0]} failed (see above)")


def write(path: Path, text: str) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
