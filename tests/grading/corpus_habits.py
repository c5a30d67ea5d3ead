"""Honest submissions with the habits of real notebooks: Colab, magics, warnings, files of many editors."""

import json

import nbformat

from tests.grading.corpus_assignment import NAME, POINTS
from tests.grading.corpus_kind import Sheet, Special, kind

SCRATCH = {
    "warns_on_stderr": (
        "A warning is no mistake.",
        "import sys\nimport warnings\n\nwarnings.warn('an everyday warning')\nprint('on stderr', file=sys.stderr)",
    ),
    "scratch_cell_raises": (
        "A trial that failed in a cell of the learner's own costs nothing.",
        "reparameterize(1, 2)\n1 / 0",
    ),
    "notes_that_are_no_python": (
        "Notes in a code cell are a syntax error of that cell alone.",
        "remember: log var is LOG of variance!!",
    ),
    "input_in_a_cell": (
        "Nobody answers a prompt while a notebook is graded; the answers do not need it.",
        "name = input('Your name: ')",
    ),
    "seeds_set": (
        "Seeds of the learner change no answer.",
        "torch.manual_seed(0)\ntorch.use_deterministic_algorithms(True)",
    ),
    "default_dtype_float64": (
        "A default for new tensors changes no answer.",
        "torch.set_default_dtype(torch.float64)",
    ),
    "grad_disabled": (
        "Switching gradients off for a notebook does not make the answer's own graph wrong.",
        "torch.set_grad_enabled(False)",
    ),
    "tqdm_bars": (
        "Progress bars are everyday output.",
        "from tqdm.auto import tqdm\n\nfor _ in tqdm(range(200)):\n    pass",
    ),
    "figures_left_open": (
        "Thirty open figures give a warning and no more.",
        "import matplotlib.pyplot as plt\n\nfor i in range(30):\n    plt.figure()\n    plt.plot([0, i])",
    ),
    "widgets_shown": (
        "Widgets have no front end while a notebook is graded.",
        "import ipywidgets\nfrom IPython.display import display\n\nslider = ipywidgets.IntSlider()\ndisplay(slider)",
    ),
    "line_magics_and_shell": (
        "Magics and shell lines are part of notebooks.",
        "%matplotlib inline\n%config InlineBackend.figure_format = 'retina'\n!ls -la\n!nvidia-smi\nfiles = !ls",
    ),
    "pip_install": (
        "An install that finds no network prints an error and no more.",
        "!pip install -q --retries 0 --timeout 2 einops",
    ),
    "colab_drive": (
        "Colab's modules exist on Colab only; the cell fails, the answers do not need it.",
        "from google.colab import drive\n\ndrive.mount('/content/drive')\n%cd /content/drive/MyDrive",
    ),
    "cuda_in_scratch": (
        "There is no GPU where notebooks are graded.",
        "x = torch.zeros(3).cuda()\nprint(x)",
    ),
    "changes_folder": (
        "Answers do not depend on the current folder.",
        "import os\n\nos.chdir('/')",
    ),
    "deletes_own_variables": (
        "`%reset`-like habits of a cell before the answers harm none of them.",
        "x = 1\ndel x\n%who",
    ),
    "logging_everywhere": (
        "A logger set up by a learner writes where it likes.",
        "import logging\n\nlogging.basicConfig(level=logging.DEBUG, force=True)\nlogging.debug('hello')",
    ),
}


@kind("honest", each=SCRATCH)
def scratch(s: Sheet, source):
    s.scratch(source)


@kind("honest")
def warns_in_the_answer(s: Sheet):
    """A right answer that warns on every call."""
    s.scratch("import warnings")
    s.answer(
        "reparameterize",
        s.right("reparameterize").replace("    std =", "    warnings.warn('slow')\n    std ="),
    )


@kind("honest")
def prints_in_the_answer(s: Sheet):
    """A right answer that prints what it sees."""
    s.answer(
        "reparameterize",
        s.right("reparameterize").replace(
            "    std =", "    print('mu is', mu, flush=True)\n    std ="
        ),
    )


@kind("honest")
def slow_right(s: Sheet):
    """A right answer whose first call takes ten seconds."""
    s.answer(
        "kl_to_standard_normal",
        "import time\n\n_calls = []\n\n\n"
        + s.right("kl_to_standard_normal").replace(
            "    per_dimension",
            "    if not _calls:\n        time.sleep(10)\n    _calls.append(1)\n    per_dimension",
            1,
        ),
    )


@kind("honest")
def slow_cell(s: Sheet):
    """A cell of the learner's own takes ten seconds."""
    s.scratch("import time\n\ntime.sleep(10)")


@kind("honest")
def cell_magics(s: Sheet):
    """An answer in a cell that is timed, another in a cell whose output is captured."""
    s.answer("reparameterize", "%%time\n" + s.right("reparameterize"))
    s.answer("kl_to_standard_normal", "%%capture captured\n" + s.right("kl_to_standard_normal"))


@kind("honest")
def colab_drive_in_the_import_cell(s: Sheet):
    """The import fails where the notebook is graded; the assignment's own imports are known without that cell."""
    s.imports.source = "from google.colab import drive\n" + s.imports.source


@kind("honest")
def colab_file(s: Sheet):
    """Colab renames cell ids, adds metadata of its own and a kernel of its own name."""
    s.nb.metadata = {
        "colab": {"provenance": [], "gpuType": "T4"},
        "accelerator": "GPU",
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
    }
    for number, cell in enumerate(s.nb.cells):
        cell.metadata["id"] = f"aB3xY{number}"
        cell.metadata["colab"] = {"base_uri": "https://localhost:8080/"}
        cell.id = f"aB3xY{number}"
    s.nb.nbformat_minor = 0
    for cell in s.nb.cells:
        del cell["id"]


@kind("honest")
def check_with_hint(s: Sheet):
    """The learner asked for hints in the cell of the check, which is replaced by the assignment's own."""
    s.test("reparameterize").source += "\ncheck.reparameterize.hint()"


@kind("honest")
def windows_line_endings(s: Sheet):
    """Sources and file with Windows line endings."""
    for cell in s.nb.cells:
        cell.source = cell.source.replace("\n", "\r\n")
    return s.bytes().replace(b"\n", b"\r\n")


@kind("honest")
def source_as_lines(s: Sheet):
    """Sources as lists of lines, as Jupyter saves them."""
    for cell in s.nb.cells:
        cell["source"] = cell.source.splitlines(keepends=True)


@kind("honest")
def without_cell_ids(s: Sheet):
    """Format 4.4 has no cell ids."""
    s.nb.nbformat_minor = 4
    for cell in s.nb.cells:
        del cell["id"]


@kind("honest")
def duplicated_cell_ids(s: Sheet):
    """Some editors give copied cells the same id; cells are told apart by other means."""
    for cell in s.nb.cells:
        cell["id"] = "same"


@kind("honest")
def attachments(s: Sheet):
    """A picture pasted into a text cell, and one pasted into the written answer."""
    picture = {
        "sketch.png": {
            "image/png": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
        }
    }
    s.insert(
        3, "![sketch](attachment:sketch.png)", nbformat.v4.new_markdown_cell, attachments=picture
    )
    s.cell("why_eps")["attachments"] = picture


@kind("honest")
def raw_cells(s: Sheet):
    """Raw cells are never run."""
    s.insert(3, "raise SystemExit", nbformat.v4.new_raw_cell)


@kind("honest")
def large_outputs(s: Sheet):
    """Twelve megabytes of saved figures are no reason to refuse a notebook."""
    output = nbformat.v4.new_output("display_data", data={"image/png": "iVBORw0K" * (3 << 19)})
    s.scratch("print('figures')").outputs = [output]


@kind("honest")
def ran_with_errors_saved(s: Sheet):
    """Saved tracebacks of an earlier run say nothing about the answers."""
    error = nbformat.v4.new_output(
        "error",
        ename="NameError",
        evalue="name 'torch' is not defined",
        traceback=["\x1b[0;31mNameError\x1b[0m"],
    )
    for task in POINTS:
        s.test(task).outputs = [error]
        s.test(task).execution_count = 99


@kind("honest")
def unknown_kernelspec(s: Sheet):
    """The name of the learner's environment is no business of the grader."""
    s.nb.metadata = {
        "kernelspec": {"name": "conda-env-ml311-py", "display_name": "ml311", "language": "python"}
    }


@kind("honest")
def no_kernelspec(s: Sheet):
    """A notebook without any metadata of its own."""
    s.nb.metadata = {}


@kind("honest")
def byte_order_mark(s: Sheet):
    """Some Windows editors put a mark before the text."""
    return b"\xef\xbb\xbf" + s.bytes()


@kind("honest")
def ascii_escapes(s: Sheet):
    """JSON may spell every letter beyond ASCII as an escape, on a single line."""
    return json.dumps(s.nb).encode("ascii")


@kind(
    "honest",
    each={
        "renamed_by_browser": ("A second download gets a number.", "small (1).ipynb"),
        "renamed_copy": ("Jupyter's name for a copy.", "small-Copy1.ipynb"),
        "renamed_upper_case": ("A system that ignores case.", "Small.IPYNB"),
    },
)
def renamed(s: Sheet, name):
    return {name: s.bytes()}


@kind("honest")
def two_notebooks(s: Sheet):
    """The notebook with the asked name counts, not the unsolved copy beside it."""
    return {NAME: s.bytes(), "small-Copy1.ipynb": s.bytes(s.released)}


@kind("honest", accept=(0,), also_status=("missing",))
def notebook_in_a_subfolder(s: Sheet):
    """Zips often hold a folder; if it is not found, the reason must be said."""
    return {f"homework/{NAME}": s.bytes()}


@kind("honest")
def junk_beside_it(s: Sheet):
    """What macOS, Jupyter and Windows leave in folders is no submission."""
    return {
        NAME: s.bytes(),
        f"__MACOSX/._{NAME}": b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X",
        ".ipynb_checkpoints/small-checkpoint.ipynb": s.bytes(s.released),
        ".DS_Store": b"\x00\x00\x00\x01Bud1",
        "Thumbs.db": b"\xd0\xcf\x11\xe0",
        "data": Special("folder"),
    }
