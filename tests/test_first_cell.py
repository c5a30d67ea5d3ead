"""The first cell of every notebook: what it does on Colab, and what it says where something is
off.
"""

import builtins
import http.server
import json
import re
import sys
import threading
import types
from importlib import metadata
from urllib.parse import quote

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from IPython.utils.text import DollarFormatter

from authoring import address, build
from gencourse.editions import first_cell as g

CELL = TransformerManager().transform_cell(build.first_cell())
HOME = f"git+{address.repository()}@{address.ref()}"
FORK = "git+https://github.com/another/course@main"


def opened(path: object) -> str:
    """Colab's answer for a notebook that was opened from somewhere."""
    return json.dumps([{"name": "01_vae.ipynb", "path": path}])


def on_github(path: str) -> str:
    return opened("fileId=" + quote(f"https://github.com/{path}", safe="/"))


# what Colab answers -> what is installed, in this order, where the second exists only
ANSWERS = {
    "GitHub": (on_github("another/course/blob/main/notebooks/01_vae.ipynb"), [FORK]),
    "GitHub, all quoted": (
        opened(
            "fileId="
            + quote("https://github.com/another/course/blob/main/notebooks/01_vae.ipynb", safe="")
        ),
        [FORK],
    ),
    "a tag": (
        on_github("another/course/blob/v0.3.0/exercises/02_gan.ipynb"),
        ["git+https://github.com/another/course@v0.3.0"],
    ),
    "a branch with a slash": (
        on_github("a-b/c.d_e/blob/fix/kl/notebooks/01_vae.ipynb#scrollTo=x"),
        ["git+https://github.com/a-b/c.d_e@fix/kl"],
    ),
    "Drive": (opened("fileId=1a2B3c_D-eF"), [HOME]),
    "another host": (opened("fileId=https%3A//gist.github.com/a/blob/b/c/d.ipynb"), [HOME]),
    "shell signs": (on_github("a/b;reboot/blob/main/notebooks/01_vae.ipynb"), [HOME]),
    "a branch with shell signs": (on_github("a/b/blob/$(reboot)/notebooks/01_vae.ipynb"), [HOME]),
    "no path": (json.dumps([{"name": "01_vae.ipynb"}]), [HOME]),
    "a path of null": (opened(None), [HOME]),
    "a path of a number": (opened(7), [HOME]),
    "no sessions": ("[]", [HOME]),
    "no list": ('{"message": "Forbidden"}', [HOME]),
    "no JSON": ("<html>", [HOME]),
    "nothing": (None, [HOME]),  # nobody listens
}


class Colab:
    """A kernel on Colab without the package; `exists` says from where it can be installed."""

    def __init__(self, monkeypatch, exists=lambda spec: True):
        self.installed: list[str] = []
        self.exists, self.monkeypatch, self.printed = exists, monkeypatch, []
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
        for name in ("gencourse", "gencourse.editions"):
            monkeypatch.setitem(sys.modules, name, None)

    def run(self) -> None:
        self.names = {"get_ipython": lambda: self, "print": self.printed.append}
        exec(CELL, self.names)

    def run_line_magic(self, name: str, line: str) -> None:
        """IPython's %pip: names in braces are replaced, the rest is one line of a shell."""
        assert name == "pip"
        line = DollarFormatter().vformat(line, args=[], kwargs=self.names)
        *options, spec = line.split()
        # without --no-input git asks the terminal for a password where a repository does not exist
        assert options == ["install", "-q", "--no-input", "--no-deps"]
        self.installed.append(spec)
        if self.exists(spec):
            package, editions = types.ModuleType("gencourse"), types.ModuleType("editions")
            editions.greeting = lambda edition: f"installed, for {edition}"
            self.monkeypatch.setitem(sys.modules, "gencourse", package)
            self.monkeypatch.setitem(sys.modules, "gencourse.editions", editions)


@pytest.fixture
def server(monkeypatch):
    """A stand-in for Colab's list of notebooks; set `text`, None for nobody."""

    class Handler(http.server.BaseHTTPRequestHandler):
        text: str | None = None

        def do_GET(self):
            assert self.path == "/api/sessions"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.text.encode())

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("COLAB_JUPYTER_IP", "127.0.0.1")
        monkeypatch.setenv("KMP_TARGET_PORT", str(made.server_port))
        yield Handler
        made.shutdown()


@pytest.mark.parametrize("case", ANSWERS)
def test_colab_installs_from_where_the_notebook_was_opened(case, server, monkeypatch):
    server.text, specs = ANSWERS[case]
    if server.text is None:
        monkeypatch.setenv("KMP_TARGET_PORT", "1")
    colab = Colab(monkeypatch)
    colab.run()
    assert colab.installed == specs
    assert colab.printed == [f"installed, for {address.version()}"]


def test_a_repository_without_the_package_is_followed_by_the_address(server, monkeypatch):
    server.text = ANSWERS["GitHub"][0]
    colab = Colab(monkeypatch, exists=lambda spec: spec == HOME)
    colab.run()
    assert colab.installed == [FORK, HOME] and len(colab.printed) == 1


def test_where_nothing_can_be_installed_a_sentence_says_what_to_type(server, monkeypatch):
    server.text = ANSWERS["GitHub"][0]
    colab = Colab(monkeypatch, exists=lambda spec: False)
    with pytest.raises(ImportError, match=r"type: %pip install git\+https://github.com/OWNER"):
        colab.run()
    assert colab.installed == [FORK, HOME]


def test_where_the_variables_are_unset_colab_is_asked_at_its_known_place(monkeypatch):
    asked = []
    monkeypatch.delenv("COLAB_JUPYTER_IP", raising=False)
    monkeypatch.delenv("KMP_TARGET_PORT", raising=False)
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: asked.append((url, timeout)))
    Colab(monkeypatch).run()
    assert asked == [("http://172.28.0.12:9000/api/sessions", 5)]


def test_another_kernel_is_told_so_in_a_sentence_and_nothing_is_asked(monkeypatch):
    """In VS Code, Kaggle or a system's Python: no package, and not Colab."""
    monkeypatch.setattr("urllib.request.urlopen", None)
    for name in ("gencourse", "gencourse.editions"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"Choose the kernel of the course's \.venv") as raised:
        exec(CELL, {})
    assert raised.value.__suppress_context__


def test_a_package_older_than_this_cell_is_told_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "gencourse.editions", None)  # it has none
    with pytest.raises(ImportError, match="older than this notebook"):
        exec(CELL, {})


def test_with_everything_right_the_cell_prints_the_version_and_costs_nothing(capsys, monkeypatch):
    before = set(sys.modules)
    monkeypatch.setattr("urllib.request.urlopen", None)
    exec(CELL, {})
    assert capsys.readouterr().out == f"gencourse {address.version()}\n"
    assert not {"torch", "torchvision"} & (set(sys.modules) - before)


@pytest.mark.parametrize(
    ("notebook", "package", "words"),
    [
        ("0.2.0", "0.2.0", None),
        ("0.2.0", "0.2.1", None),  # a patch
        ("0.2.0", "0.2.10", None),
        ("0.2.0.dev0", "0.2.0", None),  # made before the release
        ("0.2.1", "0.2.0", "which is older"),
        ("0.2.0", "0.2.0.dev0", "which is older"),
        ("0.10.0", "0.9.0", "which is older"),
        ("1.0.0", "0.9.0", "which is older"),
        ("0.2.0", "0.3.0", "which is newer"),
        ("0.9.0", "1.0.0", "which is newer"),
        ("0.2.0", "unknown", None),
    ],
)
def test_editions_are_told_apart(notebook, package, words):
    said = " ".join(g.other_edition(notebook, package))
    assert (words in said and notebook in said and package in said) if words else said == ""


def test_each_sentence_says_what_to_do_where_it_is_said(monkeypatch):
    older, newer = ("0.3.0", "0.2.0"), ("0.2.0", "0.3.0")
    assert "uv sync" in next(g.other_edition(*older))
    assert "gencourse start" in next(g.other_edition(*newer))
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    assert "Runtime" in next(g.other_edition(*older))
    assert "uv" not in next(g.other_edition(*older)) and "start" not in next(
        g.other_edition(*newer)
    )


def test_missing_packages_are_named(monkeypatch):
    assert not list(g.missing())
    monkeypatch.setattr(g, "find_spec", lambda name: None if name in ("torch", "tqdm") else name)
    assert next(g.missing()).startswith("This kernel has no torch and tqdm, which")


def test_what_is_looked_for_is_what_pyproject_requires():
    required = address.project()["project"]["dependencies"]
    assert {line.partition(">")[0] for line in required} == set(g.NEEDED)


@pytest.mark.parametrize(
    ("required", "installed", "fits"),
    [
        (["numpy", "torch==2.15.0", "pillow"], "2.15.0", True),
        (["numpy", "torch (==2.15.0)"], "2.15.0+cpu", True),
        (["torch==2.14.0"], "2.13.0", False),
        (["torch==2.14.0 ; python_version < '4'"], "2.13.0+cu128", False),
        (["torch (>=2.14.0)"], "2.15.0", True),
        (["torch (>=2.14.0)"], "2.13.0", False),
        (["torch>=2.14.0"], "2.9.1", False),
        (["torchmetrics==1.0.0"], "2.9.1", True),
        (None, "2.15.0", True),
    ],
)
def test_a_torchvision_for_another_torch_is_told(required, installed, fits, monkeypatch):
    monkeypatch.setattr(metadata, "requires", {"torchvision": required}.get)
    monkeypatch.setattr(metadata, "version", {"torch": installed}.get)
    assert (not list(g.other_torchvision())) is fits


def test_the_installed_torchvision_says_for_which_torch_it_was_made():
    """Else the test above shows nothing."""
    assert any(
        re.match(r"torch *\(?[=>]=", line) for line in metadata.requires("torchvision") or ()
    )


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'torchvision'"),
        RuntimeError("operator torchvision::nms does not exist"),
    ],
    ids=["missing", "for another torch"],
)
def test_data_in_full_says_what_to_do_without_torchvision(error, monkeypatch, tmp_path):
    from gencourse.data import images
    from gencourse.errors import DataUnavailable

    imported = builtins.__import__

    def without(name, *rest, **named):
        if name.startswith("torchvision"):
            raise error
        return imported(name, *rest, **named)

    monkeypatch.delitem(sys.modules, "gencourse.data.downloads", raising=False)
    monkeypatch.delattr("gencourse.data.downloads", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataUnavailable, match="Install the torchvision that belongs to torch"):
        images("mnist", full=True)
    with pytest.raises(DataUnavailable, match="cannot be imported"):
        images("cifar10")
    assert len(images("mnist").train_bytes) == 10_000
