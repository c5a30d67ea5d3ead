"""What people really hand in, run in boxes: the points that the notebook showed, or a sentence why
not, for the student and for the teacher.
"""

import copy
import dataclasses
import itertools
import json
import sys

import pytest

from gencourse.grading.gradebook.book import Gradebook
from gencourse.grading.handout import release
from gencourse.grading.judging.batch import planned
from gencourse.grading.judging.judge import judge
from gencourse.grading.sandbox.backends import Sandbox
from gencourse.grading.sandbox.limits import Limits
from tests.grading.corpus_assignment import POINTS, SOURCE, WRITTEN, notebooks
from tests.lanes import mostly_slow

RELEASED, SOLVED = (json.loads(release.as_text(made)) for made in notebooks())
pytestmark = [pytest.mark.usefixtures("bubblewrap"), pytest.mark.posix]
HELPER = "def kl_rows(mu, logvar):\n    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar)\n"


def source(cell: dict) -> str:
    return "".join(cell["source"])


class Work:
    """A solved notebook that is changed step by step."""

    def __init__(self, solved: bool = True) -> None:
        self.made = copy.deepcopy(SOLVED if solved else RELEASED)
        self.files: dict[str, bytes] = {}
        for cell, given in zip(self.made["cells"], RELEASED["cells"], strict=True):
            if given["metadata"].get("nbgrader", {}).get("grade"):
                cell["source"] = given["source"]  # nobody has the hidden tests

    @property
    def cells(self) -> list[dict]:
        return self.made["cells"]

    def cell(self, name: str) -> dict:
        return next(c for c in self.cells if f"def {name}(" in source(c))

    def answer(self, name: str, text: str) -> "Work":
        self.cell(name)["source"] = text
        return self

    def replaced(self, name: str, old: str, new: str) -> "Work":
        text = source(self.cell(name))
        assert old in text
        return self.answer(name, text.replace(old, new))

    def before(self, text: str, place: int = 2) -> "Work":
        self.cells.insert(
            place, {"cell_type": "code", "source": text, "metadata": {}, "outputs": []}
        )
        return self


def graded(tmp_path, work: Work, limits: Limits | None = None, **metadata):
    """The result of a submission: points and messages by task, flags by name."""
    home = tmp_path / "in"
    work.made["metadata"] |= metadata
    files = work.files | {"small.ipynb": json.dumps(work.made).encode()}
    for name, content in files.items():
        path = home / "ada" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (home / "zoe").mkdir(exist_ok=True)
    limits = limits or Limits(cell_s=60, total_s=200)
    made = planned(home, [SOURCE], Sandbox("bubblewrap"), limits, Gradebook(tmp_path / "book"))
    result = judge(next(job for job in made.jobs if job.submission.student == "ada"))
    assert result.status == "graded", result.reason
    tasks = {task.name.removesuffix("_test"): task for task in result.tasks}
    return tasks, {flag.flag: flag.detail for flag in result.flags}


def points(tasks) -> dict[str, float]:
    return {name: tasks[name].points for name in POINTS}


def test_right_in_the_notebook_is_right_when_graded(tmp_path):
    """A GPU, a file beside the notebook, a cell that was turned into text, a mode that was left on."""
    work = Work().replaced(
        "reparameterize", "    std", "    mu, eps = mu.cuda(), eps.to('cuda')\n    std"
    )
    work.answer(
        "kl_to_standard_normal",
        "from formulas import kl_rows\n\n\ndef kl_to_standard_normal(mu, logvar):\n"
        "    return kl_rows(mu, logvar).sum(1)",
    )
    work.files["formulas.py"] = HELPER.encode()
    work.cell("bits")["cell_type"] = "markdown"
    work.before("torch.inference_mode().__enter__()", place=3)
    tasks, flags = graded(tmp_path, work)
    assert points(tasks) == POINTS, {n: (t.status, t.message) for n, t in tasks.items()}
    assert set(flags) == {"needs-gpu", "file-beside", "cell-type-changed"}


def test_what_is_not_right_says_why(tmp_path):
    """Code below the stub's raise, another name, a package that is not here, a stub."""
    work = Work().answer(
        "gaussian_log_density",
        source(next(c for c in RELEASED["cells"] if "def gaussian_log_density" in source(c)))
        + "\n    return x.sum(1)",
    )
    work.replaced("reparameterize", "def reparameterize(", "def my_draw(")
    check = next(c for c in work.cells if source(c).startswith("check.reparameterize("))
    check["source"] = "check.reparameterize(my_draw)"
    work.before("from no_such_package import kl_rows")
    work.answer(
        "kl_to_standard_normal",
        "def kl_to_standard_normal(mu, logvar):\n    return kl_rows(mu, logvar).sum(1)",
    )
    stub = next(c for c in RELEASED["cells"] if "def bits" in source(c))
    work.cell("bits")["source"] = stub["source"]
    work.before("bits(3)\nprint(bits)\nundefined_here", place=len(work.cells))
    tasks, flags = graded(tmp_path, work)
    said = {name: (task.status, task.message) for name, task in tasks.items()}
    assert "Delete that line" in said["gaussian_log_density"][1]
    assert "my_draw" in said["reparameterize"][1] and "renamed-answer" in flags
    assert said["kl_to_standard_normal"][0] == "not judged"
    assert "no_such_package" in said["kl_to_standard_normal"][1] and "missing-package" in flags
    assert said["bits"] == ("not attempted", ""), "an untouched stub is not blamed for another cell"
    assert sum(task.points or 0 for task in tasks.values()) == 0


GPU = {
    "cuda()": "x = mu.cuda()\n    return x + (0.5 * logvar.cuda()).exp() * eps.cuda()",
    "to": "d = torch.device('cuda:0')\n    return mu.to(d) + (0.5 * logvar.to(d)).exp() * eps.to(d)",
    "device=": "one = torch.ones(1, device='cuda')\n    return mu * one + (0.5 * logvar).exp() * eps",
    "tensor": "half = torch.tensor(0.5, device='cuda')\n    return mu + (half * logvar).exp() * eps",
    "module": "m = torch.nn.Linear(1, 1).cuda()\n    return mu + (0.5 * logvar).exp() * eps",
    "module to": "m = torch.nn.Linear(1, 1).to('cuda')\n    return mu + (0.5 * logvar).exp() * eps",
    "mps": "return mu.to('mps') + (0.5 * logvar).exp() * eps",
}


@pytest.mark.parametrize("how", mostly_slow(GPU, fast=0))
def test_what_was_written_for_a_gpu_is_done_on_the_cpu(tmp_path, how):
    head = "def reparameterize(mu, logvar, eps):\n    "
    tasks, flags = graded(tmp_path, Work().answer("reparameterize", head + GPU[how]))
    assert points(tasks) == POINTS, tasks["reparameterize"].message
    assert "needs-gpu" in flags


MODES = (
    *("torch.inference_mode().__enter__()", "torch.set_grad_enabled(False)"),
    *("torch.no_grad().__enter__()", "torch.set_default_dtype(torch.float64)"),
    *("torch.autograd.set_detect_anomaly(True)", "torch.set_default_device('meta')"),
)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_a_mode_that_was_left_on_costs_nothing(tmp_path, mode):
    tasks, _ = graded(tmp_path, Work().before(mode, place=3))
    assert points(tasks) == POINTS, {n: t.message for n, t in tasks.items()}


@pytest.mark.slow
def test_what_only_a_newer_python_reads_is_not_judged(tmp_path):
    newer = f"{sys.version_info[0]}.{sys.version_info[1] + 1}.0"
    work = Work().answer("bits", "def bits(nats):\n    return nats $ 2")
    tasks, flags = graded(tmp_path, work, language_info={"name": "python", "version": newer})
    assert (tasks["bits"].status, tasks["bits"].points) == ("not judged", None)
    assert newer in tasks["bits"].message and "newer-python" in flags
    assert tasks["reparameterize"].points == POINTS["reparameterize"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_long_cells_of_the_learners_own_cost_no_point(tmp_path):
    """Six cells longer than a cell may take, and a dozen that are long together."""
    work = Work()
    for i in range(6):
        work.before(f"import time\ntime.sleep(1000)\nx{i} = 1", place=3)
    limits = Limits(cell_s=8, total_s=80)
    tasks, flags = graded(tmp_path, work, limits)
    assert points(tasks) == POINTS and {"slow", "own-cells-cut"} <= set(flags)
    work = Work()
    for i in range(12):
        work.before(f"import time\ntime.sleep(6)\ny{i} = 1", place=3)
    tasks, flags = graded(tmp_path / "b", work, limits)
    assert points(tasks) == POINTS and "own-cells-cut" in flags and "slow" not in flags


# hidden tests stay hidden

HIDDEN = ("98.3", "isclose(bits(8")
LEAKS = {
    "from the inputs": "import inspect\nseen = []\n\ndef bits(nats):\n    seen.append(nats)\n"
    "    raise ValueError(f'saw {seen}')",
    "from frames": "import sys\n\ndef bits(nats):\n    f = sys._getframe(1)\n"
    "    raise ValueError(str(f.f_code.co_consts) + str(f.f_globals.get('In')))",
    "right, then from the history": "def bits(nats):\n    global told\n    told = str(In) + str(nats)\n"
    "    return nats / math.log(2)",
}
TELLS = "def reparameterize(mu, logvar, eps):\n    raise ValueError(globals().get('told', '') + str(In[-3:]))"


@pytest.mark.parametrize("how", mostly_slow(LEAKS, fast=0))
def test_no_hidden_assertion_reaches_the_student(tmp_path, how):
    work = Work().answer("bits", LEAKS[how]).answer("reparameterize", TELLS)
    tasks, _ = graded(tmp_path, work)
    shown = "\n".join(task.message + str(task.parts) for task in tasks.values())
    assert not [text for text in HIDDEN if text in shown], shown
    assert tasks["bits"].points == (2 if how.startswith("right") else 0)


# the course's own code by other ways

EQUATIONS = "/course/gencourse/models/vae/equations.py"
WAYS = {
    "another name": "import sys\nsys.path.insert(0, '/course/gencourse/models/vae')\n"
    "from equations import reparameterize as own",
    "a copy": f"import shutil\nshutil.copy('{EQUATIONS}', 'mine.py')\n"
    "from mine import reparameterize as own",
    "its text": f"exec(open('{EQUATIONS}').read())\nown = reparameterize",
    "a fresh import": "import sys\n"
    "[sys.modules.pop(n) for n in list(sys.modules) if n.startswith('gencourse.models')]\n"
    "from gencourse.models.vae import reparameterize as own",
    "a reload": "import importlib, gencourse.models.vae.equations as v\n"
    "own = importlib.reload(v).reparameterize",
    "a loader": "import importlib.util as u\n"
    f"s = u.spec_from_file_location('gencourse_own', '{EQUATIONS}')\n"
    "m = u.module_from_spec(s)\ns.loader.exec_module(m)\nown = m.reparameterize",
}


@pytest.mark.parametrize("way", mostly_slow(WAYS))
def test_the_courses_own_answer_is_reached_by_no_other_way(tmp_path, way):
    work = Work().before(WAYS[way], place=2)
    work.answer(
        "reparameterize", "def reparameterize(mu, logvar, eps):\n    return own(mu, logvar, eps)"
    )
    tasks, flags = graded(tmp_path, work)
    assert tasks["reparameterize"].points == 0, way
    assert {"looks-around", "own-implementation", "asks-for-answers"} & set(flags)


# names and files, all the way to the report


@pytest.mark.slow
def test_a_hundred_honest_submissions_collect_no_flag(tmp_path):
    """Made of the right answers and habits of honest people, in all combinations; rebuilt, not run."""
    from gencourse.grading.handout import assignment as assignments
    from gencourse.grading.submissions.reading import read
    from gencourse.grading.submissions.rebuild import rebuild

    small = assignments.load(SOURCE)
    habits = (
        *(
            "import matplotlib.pyplot as plt\nplt.plot([1])",
            "%matplotlib inline",
            "x = torch.randn(3)",
        ),
        *("# a comment that mentions inspect and /proc/", "%time reparameterize(x, x, x)"),
    )
    count = 0
    for chosen in itertools.chain.from_iterable(
        itertools.combinations(habits, n) for n in range(6)
    ):
        for stubs in ((), ("bits",), ("bits", "reparameterize")):
            work = Work()
            for i, text in enumerate(chosen):
                work.before(text, place=3 + i)
            for name in stubs:
                stub = next(c for c in RELEASED["cells"] if f"def {name}(" in source(c))
                work.cell(name)["source"] = stub["source"]
            assert rebuild(small, read(json.dumps(work.made).encode()).cells).flags == ()
            count += 1
    assert count >= 90


def test_a_written_answer_is_kept_as_it_was_handed_in(tmp_path):
    work = Work()
    cell = next(
        c for c in work.cells if c["metadata"].get("nbgrader", {}).get("grade_id") == WRITTEN
    )
    cell["source"] = "![a](attachment:a.png) $x^2$"
    cell["attachments"] = {"a.png": {"image/png": "iVBORw0KGgo="}}
    home = tmp_path / "in" / "ada"
    home.mkdir(parents=True)
    (home / "small.ipynb").write_text(json.dumps(work.made), "utf-8")
    (tmp_path / "in" / "zoe").mkdir()
    made = planned(
        tmp_path / "in", [SOURCE], Sandbox("none"), Limits(), Gradebook(tmp_path / "book")
    )
    (job,) = [job for job in made.jobs if job.submission.student == "ada"]
    attached = [one.attachments for one in job.submission.cells if one.attachments]
    assert attached == [(("a.png", "data:image/png;base64,iVBORw0KGgo="),)]
    assert dataclasses.asdict(job)["key"]
