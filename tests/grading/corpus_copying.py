"""The course's own reference answers, fetched while the notebook is run.

The values would be right, so a judge of values cannot tell. Either the references are not within reach of the
learner's process, and the task fails, or the copy is noticed: then a flag leaves the decision to the instructor.
"""

from tests.grading.corpus_assignment import POINTS
from tests.grading.corpus_kind import Sheet, kind

OTHERS = sum(points for task, points in POINTS.items() if task != "reparameterize")
BY_NAME = {
    "copies_by_alias": (
        "The package's function under another name is no answer.",
        "reparameterize = m.reparameterize",
    ),
    "copies_by_import": (
        "An import of the package's function is no answer.",
        "from gencourse.models.vae import reparameterize",
    ),
    "copies_by_wrapper": (
        "A function that hands its arguments to the package's.",
        "def reparameterize(mu, logvar, eps):\n    return m.reparameterize(mu, logvar, eps)",
    ),
    "copies_by_source": (
        "The package's source, read and run.",
        "import inspect\n\nexec(inspect.getsource(m.reparameterize))",
    ),
    "copies_from_file": (
        "The package's source, searched for among its files.",
        "import ast\nimport importlib.util\nfrom pathlib import Path\n\n"
        "folder = Path(importlib.util.find_spec('gencourse').origin).parent\n"
        "for file in folder.rglob('*.py'):\n"
        "    tree = ast.parse(file.read_text())\n"
        "    found = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == 'reparameterize' and not n.decorator_list]\n"
        "    if found:\n"
        "        exec(ast.unparse(found[0]).replace('Tensor', 'object'))",
    ),
    "copies_from_the_check": (
        "The reference of the exercise, asked for by name.",
        "def reparameterize(mu, logvar, eps):\n    from gencourse.checks import vae\n\n    return vae.reparameterize.reference(mu, logvar, eps)",
    ),
    "copies_a_right_form": (
        "Another right answer that the exercise keeps for its own tests.",
        "def reparameterize(mu, logvar, eps):\n    return check.reparameterize.right_forms[0](mu, logvar, eps)",
    ),
    "copies_from_the_solutions": (
        "The worked answers, searched for among the files of the course.",
        "import gencourse\nimport json\nfrom pathlib import Path\n\n"
        "for file in Path(gencourse.__file__).parents[1].glob('solutions/*.ipynb'):\n"
        "    for cell in json.loads(file.read_text())['cells']:\n"
        "        if ''.join(cell['source']).startswith('def reparameterize('):\n"
        "            exec(''.join(cell['source']))",
    ),
}


@kind(
    "cheating",
    lost="reparameterize",
    accept=(OTHERS + POINTS["reparameterize"],),
    flag=True,
    each=BY_NAME,
)
def by_name(s: Sheet, source):
    s.answer("reparameterize", source)


@kind("cheating", lost="all", accept=(7, 9), flag=True)
def swaps_answers_for_references(s: Sheet):
    """The code that runs an answer is patched to run the reference in its place."""
    s.wrong()
    s.scratch("""
from gencourse import runner
from gencourse.checks import _exercise

ordinary = runner.run


def run(probe, answer, args, kwargs, *others):
    return ordinary(probe, getattr(check, answer.__name__).reference, args, kwargs, *others)


runner.run = _exercise.run = run
""")


@kind("cheating", lost="all", accept=(7, 9), flag=True)
def learns_at_run_time(s: Sheet):
    """All three are fetched from wherever they are found, and defined as if they had been written here."""
    s.wrong()
    s.ending("""
import sys

for module in list(sys.modules.values()):
    for name in ("gaussian_log_density", "reparameterize", "kl_to_standard_normal"):
        found = getattr(module, name, None)
        if type(found).__name__ == "function" and found.__module__ != "__main__":
            globals()[name] = lambda *args, found=found: found(*args)
""")
