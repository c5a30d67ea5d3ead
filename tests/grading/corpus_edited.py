"""Notebooks whose structure was edited: cells deleted, moved, duplicated, renamed."""

import nbformat

from tests.grading.corpus_assignment import POINTS
from tests.grading.corpus_kind import WRONG, Sheet, copied, grade_cell, kind


@kind("edited")
def test_cell_deleted(s: Sheet):
    """Tests come from the assignment, so the right answers keep their points."""
    s.remove("reparameterize_check", "bits_test")


@kind("edited", lost="all")
def all_tests_deleted(s: Sheet):
    """Wrong answers stay wrong without their tests."""
    s.wrong()
    s.remove(*(s.test(task).metadata.nbgrader.grade_id for task in POINTS))


@kind("edited", lost="all")
def tests_edited_to_pass(s: Sheet):
    """The submitted text of a test is never what is run."""
    s.wrong()
    for task in POINTS:
        s.test(task).source = "pass"


@kind("edited")
def tests_edited_to_fail(s: Sheet):
    """Right answers keep their points whatever was written into the tests."""
    for task in POINTS:
        s.test(task).source = "assert False, 'I was here'"


@kind("edited", lost="all")
def test_cell_duplicated(s: Sheet):
    """A copy of a test earns nothing."""
    s.wrong()
    for task in POINTS:
        s.nb.cells.append(copied(s.test(task), id=f"again-{task}"))


@kind("edited")
def test_moved_above_its_answer(s: Sheet):
    """Tests are put where the assignment has them."""
    cell = s.test("bits")
    s.nb.cells.remove(cell)
    s.nb.cells.insert(2, cell)


@kind("edited")
def stub_copied_after_the_answer(s: Sheet):
    """One of two cells with the same id holds the answer, the other the unchanged stub."""
    stub = copied(grade_cell(s.released, "reparameterize"), id="stub")
    s.nb.cells.insert(s.where("reparameterize") + 1, stub)


@kind("edited")
def stub_copied_before_the_answer(s: Sheet):
    """One of two cells with the same id holds the unchanged stub, the other the answer."""
    stub = copied(grade_cell(s.released, "reparameterize"), id="stub")
    s.nb.cells.insert(s.where("reparameterize"), stub)


@kind("edited", lost="reparameterize", accept=(9,))
def wrong_copy_after_the_answer(s: Sheet):
    """Run from top to bottom the last definition counts, and that one is wrong; the kinder reading is acceptable."""
    other = copied(s.cell("reparameterize"), id="other", source=WRONG["reparameterize"])
    s.nb.cells.insert(s.where("reparameterize") + 1, other)


@kind("edited")
def ids_renamed(s: Sheet):
    """Answers with ids that nobody knows can be found by the name that they define."""
    for cell in s.nb.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.grade_id += "_mine"


@kind("edited", lost="all")
def ids_renamed_and_wrong(s: Sheet):
    """Other ids make no wrong answer right."""
    s.wrong()
    ids_renamed(s)


@kind("edited")
def ids_swapped(s: Sheet):
    """Two answers carry each other's id; each still defines its own name."""
    a, b = s.cell("reparameterize"), s.cell("kl_to_standard_normal")
    a.metadata.nbgrader.grade_id, b.metadata.nbgrader.grade_id = (
        "kl_to_standard_normal",
        "reparameterize",
    )


@kind("edited", lost="all")
def points_times_1000(s: Sheet):
    """Points come from the assignment."""
    s.wrong()
    for task in POINTS:
        s.test(task).metadata.nbgrader.points *= 1000


@kind("edited")
def points_times_1000_and_right(s: Sheet):
    """Right answers earn what the assignment says, no more."""
    for task in POINTS:
        s.test(task).metadata.nbgrader.points = 1000


@kind("edited", lost="all")
def flags_flipped(s: Sheet):
    """What is an answer and what a test is the assignment's to say."""
    s.wrong()
    for cell in s.nb.cells:
        if "nbgrader" in cell.metadata:
            flags = cell.metadata.nbgrader
            flags["grade"], flags["solution"], flags["locked"] = (
                flags["solution"],
                flags["grade"],
                not flags["locked"],
            )


@kind("edited")
def metadata_stripped(s: Sheet):
    """Some editors drop the metadata of cells; answers are found by the name that they define."""
    s.nb.metadata = {}
    for cell in s.nb.cells:
        cell.metadata = {}


METADATA = {
    "metadata_of_wrong_types": (
        "Metadata that makes no sense is as good as none.",
        lambda flags: "yes",
    ),
    "metadata_of_old_schema": (
        "An old schema number changes no answer.",
        lambda flags: flags | {"schema_version": 1},
    ),
    "metadata_of_future_schema": (
        "An unknown schema number changes no answer.",
        lambda flags: flags | {"schema_version": 99, "points": "2"},
    ),
}


@kind("edited", each=METADATA)
def metadata_changed(s: Sheet, change):
    for cell in s.nb.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata["nbgrader"] = change(dict(cell.metadata.nbgrader))


@kind("edited")
def cells_reversed(s: Sheet):
    """The assignment's order is restored."""
    s.nb.cells.reverse()


@kind("edited", lost="all")
def outputs_forged(s: Sheet):
    """Saved outputs earn nothing."""
    s.wrong()
    for task, points in POINTS.items():
        s.test(task).outputs = [
            nbformat.v4.new_output(
                "execute_result",
                data={"text/plain": f"✓ {task}: right, {points} of {points} points"},
            )
        ]


@kind("edited")
def merged_cells(s: Sheet):
    """All answers in the first one's cell, the other cells deleted."""
    tasks = list(POINTS)
    s.answer(tasks[0], "\n\n\n".join(s.right(task) for task in tasks))
    s.remove(*tasks[1:])


@kind("edited")
def merged_with_checks(s: Sheet):
    """Answers and checks together in one cell without an id."""
    s.ending("\n".join(f"{s.right(task)}\n\n{s.test(task).source}\n" for task in POINTS))
    s.remove(*POINTS, *(s.test(task).metadata.nbgrader.grade_id for task in POINTS))


@kind("edited")
def split_cells(s: Sheet):
    """A split cell: the helper keeps the id, the answer stands below without one."""
    s.insert(
        s.where("reparameterize") + 1,
        "def reparameterize(mu, logvar, eps):\n    return mu + std_of(logvar) * eps",
    )
    s.answer("reparameterize", "def std_of(logvar):\n    return (0.5 * logvar).exp()")


@kind("edited")
def split_cells_that_share_an_id(s: Sheet):
    """Jupyter copies the metadata when a cell is split, so both halves carry the id."""
    rest = copied(s.cell("reparameterize"), id="half")
    rest["source"] = "def reparameterize(mu, logvar, eps):\n    return mu + std_of(logvar) * eps"
    s.nb.cells.insert(s.where("reparameterize") + 1, rest)
    s.answer("reparameterize", "def std_of(logvar):\n    return (0.5 * logvar).exp()")


@kind("edited", lost="reparameterize", accept=(9,))
def answer_turned_into_text(s: Sheet):
    """A text cell is never run, so there is no answer; running it all the same is acceptable."""
    cell = s.cell("reparameterize")
    at = s.where("reparameterize")
    s.nb.cells[at] = nbformat.v4.new_markdown_cell(cell.source, metadata=cell.metadata, id=cell.id)


@kind("edited", lost="reparameterize")
def answer_misspelt(s: Sheet):
    """A function of another name is no answer: the learner's own check fails too."""
    s.answer("reparameterize", s.right("reparameterize").replace("reparameterize", "reparametrise"))


@kind("edited", lost="reparameterize")
def answer_deleted(s: Sheet):
    """An answer that is gone earns nothing; the others keep their points."""
    s.remove("reparameterize")


@kind("edited")
def import_cell_deleted(s: Sheet):
    """The assignment's imports are known without the learner's copy."""
    s.nb.cells.remove(s.imports)


@kind("edited")
def only_the_answers(s: Sheet):
    """Everything else was deleted to tidy up."""
    s.nb.cells = [s.cell(task) for task in POINTS]


@kind("edited")
def five_thousand_empty_cells(s: Sheet):
    """Many cells are no reason to lose an answer."""
    empty = nbformat.v4.new_markdown_cell("")
    s.nb.cells += [copied(empty, id=f"empty-{i}") for i in range(5000)]


@kind("edited", lost="bits")
def checks_shadowed_by_learner(s: Sheet):
    """A variable named like the assignment's `check` harms only the cells that use it; `bits` is wrong."""
    s.scratch("check = 3\nm = None", before="reparameterize")
    s.wrong(["bits"])
