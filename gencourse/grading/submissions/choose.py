"""Which of a student's files is the work.

Of the notebooks that belong to the assignment it is one that can be read and lies in no place for
backups, the shallowest, and of several there the newest. A file that equals the course's own never
wins over another, and what lies in hidden places or in the trash is no submission at all. What was
not used is named.
"""

import hashlib
import re
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from gencourse.grading.handout.assignment import Assignment
from gencourse.grading.handout.cell_source import imported
from gencourse.grading.submissions import names
from gencourse.grading.submissions.course_files import answers_in, belongs, whose, worked_on
from gencourse.grading.submissions.entries import Entry
from gencourse.grading.submissions.reading import Notebook, SubmittedCell, Unreadable, read

SAME_MOMENT = 2.5  # seconds: as exact as the times in a zip are
BESIDE_LIMIT = 2 << 20  # bytes of files beside the notebook that go into the box with it
SHOWN = 8  # names of files in a sentence
EXPORTED = re.compile(r"^# (?:In\[[\d ]*\]:?|%%.*)$", re.M)


@dataclass(frozen=True)
class Submission:
    """One student's notebook for one assignment: its cells, or the reason why there are none."""

    student: str
    student_id: str
    file: str = ""
    digest: str = ""  # of the file's bytes, and of what lies beside it and is used
    cells: tuple[SubmittedCell, ...] = ()
    problem: str = ""  # "missing: SENTENCE" or "unreadable: SENTENCE"
    flags: tuple[tuple[str, str], ...] = ()
    python: str = ""  # that the notebook was last run with
    beside: tuple[tuple[str, bytes], ...] = ()  # files that its code uses, by name
    changed: float = field(default=0.0, compare=False)


def opened(student: str, student_id: str, entry: Entry) -> Submission | None:
    """A file as a student's notebook; None for one that is none by its name."""
    name = entry.path.name
    exported = name.lower().endswith(".py") and name not in names.OWN_FILES
    if entry.is_folder or not (names.is_notebook(name) or exported):
        return None
    canvas = names.CANVAS.match(name) or names.CANVAS_FOLDER.match(entry.path.parts[0])
    late = (("late", "Canvas marks it as late."),) if canvas and canvas["late"] else ()
    made = Submission(student, student_id, entry.path.as_posix(), flags=late, changed=entry.changed)
    try:
        data = entry.read()
        found = exported_cells(data) if exported else read(data)
    except Unreadable as reason:
        if not name.lower().endswith((".ipynb", ".ipynb.txt", ".ipynb.json")):
            return None  # a file of another kind under a name that many things have
        return replace(made, problem=f"unreadable: The notebook cannot be read: {reason}.")
    flags = [*late]
    if found.repairs:
        flags.append(("repaired", " ".join(found.repairs)[:600]))
    if exported:
        flags.append(("other-file", f"{name[-80:]} was handed in, no notebook; its code was used."))
    digest = hashlib.sha256(data).hexdigest()
    return replace(made, digest=digest, cells=found.cells, flags=tuple(flags), python=found.python)


def exported_cells(data: bytes) -> Notebook:
    """The cells of a notebook that was exported as a script. Raises Unreadable for other files."""
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise Unreadable("its text is not UTF-8") from None
    if not EXPORTED.search(text):
        raise Unreadable("it is no exported notebook")
    parts = EXPORTED.split(text)
    kinds = ["", *EXPORTED.findall(text)]
    cells = []
    for kind, part in zip(kinds, parts, strict=True):
        if "[markdown]" in kind:
            code, texts = "", [part]
        else:
            code, texts = without_texts(part)
        cells += [SubmittedCell("code", code.strip("\n"), "")] if code.strip() else []
        words = (re.sub(r"^# ?", "", text.strip("\n"), flags=re.M) for text in texts)
        cells += [SubmittedCell("raw", text, "") for text in words if text.strip()]
    return Notebook(tuple(cells))


def without_texts(part: str) -> tuple[str, list[str]]:
    """What follows a mark in a script: the code, and the comments below it that nbconvert made of
    cells of text. It says where code begins, and not where it ends; it leaves blank lines there.
    """
    paragraphs = re.split(r"\n{2,}", part.strip("\n"))
    n = len(paragraphs)
    while n and all(line.startswith("#") for line in paragraphs[n - 1].split("\n")):
        n -= 1
    return "\n\n".join(paragraphs[:n]), paragraphs[n:]


def missing(student: str, student_id: str, entries: list[Entry]) -> Submission:
    """A student without a notebook, and what there is in its place."""
    files = [entry for entry in entries if not entry.is_folder]
    visible = [entry for entry in files if not is_hidden(entry)]
    kinds = sorted({entry.path.suffix or entry.path.name for entry in visible})
    said = f", only {', '.join(kinds)[:60]} files" if kinds else ""
    if any(names.is_notebook(entry.path.name) for entry in files if is_hidden(entry)):
        said += ", but for copies in hidden folders or in the trash, which are no submission"
    return Submission(
        student,
        student_id,
        problem=f"missing: No notebook of this assignment was handed in{said}.",
    )


def is_hidden(entry: Entry) -> bool:
    """Whether an entry lies in a place where systems keep what people do not see."""
    return any(names.HIDDEN.fullmatch(part) for part in entry.path.parts)


def is_backup(file: str) -> bool:
    """Whether a file lies, below its student's folder, in a place for backups, or is one."""
    _, *inner = PurePosixPath(file).parts
    return any(names.BACKUP.fullmatch(part) for part in inner[:-1]) or file.lower().endswith(
        ("~", ".bak", ".orig", ".old")
    )


def fit(assignment: Assignment, one: Submission) -> float:
    """How well a notebook fits an assignment: by its name, and by the share of the answers that it
    defines. 0: not at all.
    """
    wanted = {cell.name for cell in assignment.cells if cell.role == "answer" and cell.name}
    share = len(answers_in(assignment, one.cells)) / max(len(wanted), 1)
    return names.names_assignment(PurePosixPath(one.file).name, assignment.name) + share


def the_work(
    assignment: Assignment,
    assignments: list[Assignment],
    notebooks: list[Submission],
    entries: list[Entry],
) -> Submission | None:
    """Among a student's notebooks the one that is this assignment's, and no other assignment's."""
    hidden = {entry.path.as_posix() for entry in entries if is_hidden(entry)}
    fitting = []
    for one in notebooks:
        fits = {a.name: fit(a, one) for a in assignments}
        alone = len(assignments) == 1 and not one.file.lower().endswith(".py")
        theirs = fits[assignment.name] == max(fits.values()) > 0
        if one.file not in hidden and (alone or theirs):
            fitting.append(one)
    if not fitting:
        return None
    best = min(fitting, key=lambda one: rank(assignment, one, fitting))
    others = [one.file for one in notebooks if one is not best]
    flags = list(best.flags)
    related = [
        one
        for one in notebooks
        if one is not best
        and (
            one.file in hidden
            or belongs(assignment, one.cells)
            or names.names_assignment(PurePosixPath(one.file).name, assignment.name)
        )
    ]
    if related:
        said = ", ".join(short(file) for file in others[:SHOWN]) + " …" * (len(others) > SHOWN)
        flags.append(
            (
                "several-notebooks",
                f"{len(related) + 1} notebooks fit; {short(best.file)} was graded. Not used: "
                f"{said}.",
            )
        )
    return as_handed_in(assignment, replace(best, flags=tuple(flags)), entries)


def short(file: str) -> str:
    """The end of a path."""
    return file if len(file) <= 100 else "…" + file[-99:]


def rank(assignment: Assignment, one: Submission, others: list[Submission]) -> tuple:
    """The order of preference: the smallest is the work."""
    name = PurePosixPath(one.file).name
    named = names.names_assignment(name, assignment.name)
    content = belongs(assignment, one.cells)
    depth = len(PurePosixPath(one.file).parts)
    level = [o for o in others if len(PurePosixPath(o.file).parts) == depth]
    newest = max(o.changed for o in level)
    own = whose(assignment, one.cells) if not one.problem else ""
    return (
        bool(own),
        own == "chapter",
        0 if content else 1 if named else 2,
        bool(one.problem),
        is_backup(one.file),
        one.file.lower().endswith(".py"),
        depth,
        one.changed < newest - SAME_MOMENT,
        -worked_on(assignment, one.cells),
        -named,
        one.file,
    )


def as_handed_in(assignment: Assignment, best: Submission, entries: list[Entry]) -> Submission:
    """The work with the files beside it that it uses; or the reason why it is no work."""
    own = whose(assignment, best.cells) if not best.problem else ""
    if own == "chapter":
        sentence = (
            f"The chapter was handed in ({short(best.file)}), not its exercises. Hand in the "
            f"notebook {assignment.name} of the exercises."
        )
        return replace(best, cells=(), problem=f"missing: {sentence}")
    flags = list(best.flags)
    if own == "solutions":
        flags.append(("course-solutions", "It equals the course's own solutions."))
    if is_backup(best.file):
        flags.append(
            ("from-a-backup", f"Only {short(best.file)} was found, which looks like a backup.")
        )
    beside, unused = used_files(best, entries)
    if beside:
        said = ", ".join(name for name, _ in beside)
        flags.append(("file-beside", f"Its code uses files that lie beside it: {said}."))
    if unused:
        said = ", ".join(unused)
        flags.append(
            ("file-not-used", f"Its code names files beside it that are too large: {said}.")
        )
    made = hashlib.sha256(best.digest.encode())
    for name, data in beside:
        made.update(name.encode("utf-8", "surrogatepass") + b"\0" + data)
    digest = made.hexdigest() if beside else best.digest
    return replace(best, flags=tuple(flags), beside=beside, digest=digest)


def used_files(
    best: Submission, entries: list[Entry]
) -> tuple[tuple[tuple[str, bytes], ...], list[str]]:
    """The files in the notebook's folder that its code imports or names; and those that are too
    large to go into the box.
    """
    place = PurePosixPath(best.file)
    if len(place.parts) == 1:
        return (), []  # other people's files lie there
    code = [cell.source for cell in best.cells if cell.kind == "code"]
    text, modules = "\n".join(code), set().union(*map(imported, code)) if code else set()
    found, unused, room = [], [], BESIDE_LIMIT
    for entry in sorted(entries, key=lambda entry: entry.path):
        if entry.is_folder or entry.path == place or is_hidden(entry):
            continue
        if place.parent not in entry.path.parents:
            continue
        inside = entry.path.relative_to(place.parent).as_posix()
        top = inside.split("/")[0]
        is_module = inside.endswith(".py") and top.removesuffix(".py") in modules
        named = re.search(rf"""['"/ ]{re.escape(inside)}['"\s]""", text)
        if not is_module and (names.is_notebook(inside) or not named):
            continue
        try:
            data = entry.read()
        except Unreadable:
            continue
        if len(data) > room:
            unused.append(inside)
            continue
        room -= len(data)
        found.append((inside, data))
    return tuple(found), unused
