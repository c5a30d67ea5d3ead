"""The next edition keeps the answers: whatever a learner did to a notebook, and however editions
differ.
"""

import copy
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from gencourse.editions import carry, start
from gencourse.errors import InputError

ROOT = Path(__file__).parents[1]
CHAPTERS = len(list((ROOT / "authoring/chapters").glob("[0-9]*.py")))
STUB = "def {0}(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
NAMES = ("alpha", "beta", "gamma", "delta")


def cell(kind: str, source: str, **nbgrader) -> dict:
    """A cell of the course, still without an id."""
    made = {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
    if nbgrader:
        made["metadata"]["nbgrader"] = {"schema_version": 3} | nbgrader
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def exercise(name: str, words: str = "") -> list[dict]:
    return [
        cell("markdown", f"### {name} {words}"),
        cell(
            "code",
            f"# {words}\n" * bool(words) + STUB.format(name),
            grade_id=name,
            solution=True,
            locked=False,
        ),
        cell(
            "code", f"check.{name}({name})", grade_id=f"{name}_check", solution=False, locked=True
        ),
    ]


def with_ids(cells: list[dict]) -> dict:
    """The course's notebook: ids as the build makes them."""
    seen: dict[str, int] = {}
    for one in cells:
        made = carry.digest(one["cell_type"], carry.source_of(one))
        seen[made] = seen.get(made, 0) + 1
        one["id"] = made if seen[made] == 1 else f"{made}-{seen[made]}"
    made = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    made["metadata"]["gencourse"] = {"cells": carry.digests(made)}
    return made


def edition(rng: random.Random) -> dict:
    """Any edition: which exercises there are, their order and their texts are drawn."""
    words = lambda: rng.choice(["", "", "", "in nats", "σ², per row"])  # noqa: E731
    names = rng.sample(NAMES, rng.randint(1, 4))
    cells = [cell("markdown", f"# Title {words()}"), cell("code", f"first = {words()!r}")]
    cells += [cell("code", "import torch") for _ in range(rng.randint(0, 2))]
    for name in names:
        cells += exercise(name, words())
        if rng.random() < 0.3:
            cells.append(cell("code", f"given_{name} = 1  # {words()}"))
        if rng.random() < 0.3:
            cells.append(cell("markdown", "The same prose."))
    return with_ids(cells)


class Learner:
    """What may happen to a notebook. `wrote` holds marks of what was written and is still there."""

    def __init__(self, rng: random.Random, notebook: dict):
        self.rng, self.notebook, self.wrote = rng, copy.deepcopy(notebook), []
        kinds = [self.answer, self.answer, self.edit, self.add, self.delete, self.shuffle]
        kinds += [self.double, self.split, self.run, self.lose, self.retype]
        for _ in range(rng.randint(0, 8)):
            rng.choice(kinds)()
        text = "\n".join(sources(self.notebook))
        self.wrote = [mark for mark in self.wrote if mark in text]

    @property
    def cells(self) -> list[dict]:
        return self.notebook["cells"]

    def some(self) -> dict:
        return self.rng.choice(self.cells) if self.cells else {}

    def marked(self, texts: list[str]) -> list[str]:
        """Those of the texts in which the learner has written."""
        return [text for text in texts if any(mark in text for mark in self.wrote)]

    def mark(self) -> str:
        self.wrote.append(f"mine_{len(self.wrote)}_{self.rng.randrange(10**6)}")
        return self.wrote[-1]

    def answer(self) -> None:
        open_cells = [one for one in self.cells if carry.exercise_of(one)]
        if open_cells:
            one = self.rng.choice(open_cells)
            name = carry.exercise_of(one)
            one["source"] = f"def {name}(x):\r\n    return '{self.mark()} λ\ud800'"

    def edit(self) -> None:
        if one := self.some():
            source = carry.source_of(one)
            one["source"] = self.rng.choice(
                [source + "\n" + self.mark(), [self.mark(), "\n", source]]
            )

    def add(self) -> None:
        made = cell(self.rng.choice(["code", "markdown", "raw"]), f"{self.mark()} = 1")
        made["id"] = f"{self.rng.getrandbits(128):032x}"
        self.cells.insert(self.rng.randint(0, len(self.cells)), made)

    def delete(self) -> None:
        if one := self.some():
            self.cells[:] = [other for other in self.cells if other is not one]

    def shuffle(self) -> None:
        self.rng.shuffle(self.cells)

    def double(self) -> None:
        """Copied with its id and its metadata, as some editors do."""
        if one := self.some():
            self.cells.append(copy.deepcopy(one))

    def split(self) -> None:
        if one := self.some():
            lines = carry.source_of(one).splitlines(keepends=True)
            rest = copy.deepcopy(one) | {
                "source": lines[1:],
                "id": f"{self.rng.getrandbits(32):08x}",
            }
            one["source"] = lines[:1]
            self.cells.insert(self.cells.index(one) + 1, rest)

    def run(self) -> None:
        for one in self.cells:
            if one["cell_type"] == "code":
                stream = {"output_type": "stream", "name": "stdout", "text": ["1\n"]}
                one |= {"execution_count": 3, "outputs": [stream]}

    def lose(self) -> None:
        """What other tools leave behind: no ids, other ids, no metadata."""
        for one in self.cells:
            fate = self.rng.choice(["id", "other id", "metadata", "all", ""])
            if fate in ("id", "all"):
                one.pop("id", None)
            if fate == "other id":
                one["id"] = f"aB3xY{self.rng.randrange(50)}"
            if fate in ("metadata", "all"):
                one["metadata"] = {}
        if self.rng.random() < 0.3:
            self.notebook["nbformat_minor"] = 4

    def retype(self) -> None:
        if one := self.some():
            one["cell_type"] = self.rng.choice(["markdown", "raw"])
            for key in ("outputs", "execution_count"):
                one.pop(key, None)


def sources(notebook: dict) -> list[str]:
    return [carry.source_of(one) for one in notebook["cells"]]


@pytest.mark.parametrize("block", range(2))
def test_nothing_that_a_learner_wrote_is_lost(block):
    for seed in range(150 * block, 150 * (block + 1)):
        rng = random.Random(seed)
        old, new = edition(rng), edition(rng)
        learner = Learner(rng, old)
        made = carry.carried(learner.notebook, new).notebook
        before = sources(made)
        text = "\n".join(before)
        assert not [mark for mark in learner.wrote if mark not in text], seed
        nbformat.validate(nbformat.from_dict(json.loads(json.dumps(made))))
        ids = [one["id"] for one in made["cells"]]
        assert len(set(ids)) == len(ids), seed
        # the new edition is all there, in its order, and only what learners may write in is theirs
        by_id = {one["id"]: one for one in made["cells"]}
        assert [i for i in ids if i in {one["id"] for one in new["cells"]}] == [
            one["id"] for one in new["cells"]
        ], seed
        for one in new["cells"]:
            now = by_id[one["id"]]
            assert now["metadata"] == one["metadata"] and now["cell_type"] == one["cell_type"]
            if not carry.same(now, one):
                assert not one["metadata"].get("nbgrader", {}).get("locked"), seed
        # a second time changes nothing, but that a text of the course's own is not kept twice
        again = sources(carry.carried(made, new).notebook)
        assert learner.marked(again) == learner.marked(before), seed


@pytest.mark.parametrize("block", range(2))
def test_an_answer_comes_to_its_exercise(block):
    """Where editors have left ids and names alone, however the two editions differ."""
    met = 0
    for seed in range(150 * block, 150 * (block + 1)):
        rng = random.Random(seed)
        old, new = edition(rng), edition(rng)
        theirs = copy.deepcopy(old)
        answers = {}
        for one in theirs["cells"]:
            if (name := carry.exercise_of(one)) and rng.random() < 0.6:
                # some are no Python yet, so that only the exercise's name tells where they belong
                head = rng.choice([f"def {name}(x):", f"def {name}(x"])
                answers[name] = f"{head}\n    return {rng.randrange(10**6)}"
                one["source"] = answers[name]
        if rng.random() < 0.5:
            rng.shuffle(theirs["cells"])
        made = carry.carried(theirs, new)
        there = {carry.exercise_of(one): one for one in new["cells"]}
        then = {carry.exercise_of(one): one for one in old["cells"]}
        for one in made.notebook["cells"]:
            name = carry.exercise_of(one)
            if name:
                assert carry.source_of(one) == answers.get(name, carry.source_of(there[name])), seed
                met += name in answers
        assert sorted(made.answers) == sorted(name for name in answers if name in there)
        assert sorted(made.reworded) == sorted(
            name for name in made.answers if not carry.same(then[name], there[name])
        )
        assert made.own == len(answers.keys() - there.keys())
    assert met > 100


def test_the_courses_own_notebooks_are_untouched():
    """Every id is made of what its cell holds: on that rests what is taken for a learner's."""
    paths = start.notebooks(ROOT)
    assert len(paths) == 3 * CHAPTERS
    for path in paths:
        notebook = carry.notebook_of(path.read_bytes())
        assert all(map(carry.is_untouched, notebook["cells"])), path
        again = carry.carried(notebook, notebook)
        assert again.notebook == notebook and not (again.answers or again.own)


def test_own_cells_stay_where_they_were_when_the_text_around_them_changes():
    old = with_ids(
        [
            cell("markdown", "# Title, edition 1"),
            cell("code", "EDITION = 1"),
            cell("code", "import math"),
            *exercise("alpha"),
        ]
    )
    new = with_ids(
        [
            cell("markdown", "# Title, edition 2"),
            cell("code", "EDITION = 2"),
            cell("code", "import math"),
            *exercise("alpha", "reworded"),
        ]
    )
    for number, expected in ((2, 2), (3, 3), (4, 4), (5, 5), (6, 6)):
        theirs = copy.deepcopy(old)
        theirs["cells"].insert(number, cell("code", "mine = 1") | {"id": "f" * 12})
        made = carry.carried(theirs, new).notebook
        assert sources(made).index("mine = 1") == expected


def test_a_chosen_kernel_stays_chosen():
    new = with_ids([cell("code", "1")])
    chosen = {"name": "course", "display_name": "Python (course)", "language": "python"}
    old = copy.deepcopy(new) | {"metadata": {"kernelspec": chosen}}
    assert carry.carried(old, new).notebook["metadata"]["kernelspec"] == chosen
    assert carry.carried(old | {"metadata": {"kernelspec": {"name": 3}}}, new).notebook == new


# the folder


@pytest.fixture
def course(tmp_path):
    """A clone of a small course."""
    folder = tmp_path / "course"
    for name in start.FOLDERS:
        save(
            folder / name / "01_vae.ipynb",
            with_ids([cell("markdown", f"# {name}"), *exercise("alpha"), *exercise("beta")]),
        )
    (folder / "gencourse").mkdir()
    (folder / "gencourse/__init__.py").touch()
    return folder


def save(path: Path, notebook: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), "utf-8")


def answered(path: Path, name: str, text: str) -> None:
    """An answer, as JupyterLab would save it."""
    notebook = json.loads(path.read_text("utf-8"))
    next(one for one in notebook["cells"] if carry.exercise_of(one) == name)["source"] = text
    save(path, notebook)


def texts(path: Path) -> dict[str, str]:
    cells = carry.notebook_of(path.read_bytes())["cells"]
    return {carry.exercise_of(one): carry.source_of(one) for one in cells if carry.exercise_of(one)}


def test_start_fills_a_folder_and_leaves_it_alone_until_there_is_a_new_edition(course):
    said = list(start.start(course=course))
    mine = course / "my-course"
    assert {p.relative_to(mine).as_posix() for p in mine.rglob("*") if p.is_file()} == {
        f"{name}/01_vae.ipynb" for name in start.FOLDERS
    }
    assert len(said) == 1 and str(mine) in said[0]
    answered(mine / "exercises/01_vae.ipynb", "alpha", "alpha = 1")
    (mine / "exercises/notes.txt").write_text("mine", encoding="utf-8")
    before = {p: p.read_bytes() for p in mine.rglob("*") if p.is_file()}
    assert "already" in next(start.start(course=course))
    assert {p: p.read_bytes() for p in mine.rglob("*") if p.is_file()} == before


def test_links_between_the_notebooks_lead_somewhere_in_the_folder(tmp_path):
    list(start.start(tmp_path / "mine", course=ROOT))
    found = 0
    for path in (tmp_path / "mine").rglob("*.ipynb"):
        text = "\n".join(sources(carry.notebook_of(path.read_bytes())))
        for target in carry.re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            found += 1
            assert (path.parent / target).exists(), f"{path}: {target}"
    assert found > 20


def test_a_new_edition_comes_in_and_the_one_before_is_kept(course):
    list(start.start(course=course))
    mine = course / "my-course/exercises/01_vae.ipynb"
    answered(mine, "alpha", "def alpha(x):\n    return 1")
    answered(mine, "beta", "def beta(x):\n    return 2")
    before = mine.read_bytes()
    changed = with_ids([*exercise("beta"), *exercise("alpha", "reworded"), *exercise("gamma")])
    save(course / "exercises/01_vae.ipynb", changed)
    line, _ = start.start(course=course)
    assert "with 2 answers" in line and "the text of alpha has changed" in line
    assert texts(mine) == {
        "beta": "def beta(x):\n    return 2",
        "alpha": "def alpha(x):\n    return 1",
        "gamma": STUB.format("gamma"),
    }
    (kept,) = (course / "my-course/earlier").rglob("*.ipynb")
    assert kept.read_bytes() == before
    assert kept.relative_to(course / "my-course").as_posix() in line
    assert carry.re.fullmatch(
        r"earlier/\d{4}-\d\d-\d\d/exercises/01_vae\.ipynb",
        kept.relative_to(course / "my-course").as_posix(),
    )
    save(
        course / "exercises/01_vae.ipynb", with_ids(exercise("alpha"))
    )  # another one, on the same day
    list(start.start(course=course))
    assert len(list((course / "my-course/earlier").rglob("*.ipynb"))) == 2
    assert kept.read_bytes() == before and texts(mine) == {"alpha": "def alpha(x):\n    return 1"}
    assert "def beta" in mine.read_text("utf-8")  # its exercise is gone, the answer is not


BROKEN = {
    "cut off": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "conflict": lambda data: b"<<<<<<< HEAD\n" + data + b"=======\n" + data + b">>>>>>> main\n",
    "not UTF-8": lambda data: b"\xff\xfe" + data,
    "a list": lambda data: b"[1, 2]",
    "format 3": lambda data: data.replace(b'"nbformat": 4', b'"nbformat": 3'),
    "no cells": lambda data: b'{"nbformat": 4, "cells": {"a": 1}}',
    "odd cells": lambda data: (
        b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": [1]}, 3]}'
    ),
    "nested": lambda data: b"[" * 100_000,
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_notebook_that_cannot_be_read_is_kept_and_replaced(how, course):
    list(start.start(course=course))
    mine = course / "my-course/exercises/01_vae.ipynb"
    answered(mine, "alpha", "alpha = 1")
    mine.write_bytes(BROKEN[how](mine.read_bytes()))
    before = mine.read_bytes()
    line = next(start.start(course=course))
    assert "could not be read" in line
    assert [p.read_bytes() for p in (course / "my-course/earlier").rglob("*.ipynb")] == [before]
    assert set(texts(mine)) == {"alpha", "beta"}


def test_a_byte_order_mark_and_windows_line_ends_are_read(course):
    list(start.start(course=course))
    mine = course / "my-course/exercises/01_vae.ipynb"
    answered(mine, "alpha", "def alpha(x):\r\n    return 1\r\n")
    text = json.dumps(json.loads(mine.read_text("utf-8")), indent=1).replace("\n", "\r\n")
    mine.write_bytes(b"\xef\xbb\xbf" + text.encode())
    save(course / "exercises/01_vae.ipynb", with_ids(exercise("alpha", "reworded")))
    list(start.start(course=course))
    assert texts(mine) == {"alpha": "def alpha(x):\n    return 1\n"}
    assert not mine.read_bytes().startswith(b"\xef\xbb\xbf")


def test_answers_in_the_courses_own_folder_come_along(course):
    """Who has worked in the clone until now loses nothing, and can pull afterwards."""
    answered(course / "exercises/01_vae.ipynb", "alpha", "alpha = 1")
    line = next(start.start(course=course))
    assert "git checkout -- exercises" in line
    assert texts(course / "my-course/exercises/01_vae.ipynb")["alpha"] == "alpha = 1"


def test_what_cannot_be_started_is_said_in_a_sentence(course, tmp_path, monkeypatch):
    for folder in (course, course / "exercises"):
        with pytest.raises(InputError, match="one of your own"):
            list(start.start(folder, course=course))
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="that you can write to"):
        list(start.start(tmp_path / "file", course=course))
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"
    (course / "exercises/01_vae.ipynb").write_text("<<<<<<< HEAD", encoding="utf-8")
    with pytest.raises(InputError, match="git checkout -- exercises"):
        list(start.start(course=course))
    # a package from a wheel, without notebooks beside it
    monkeypatch.setattr(
        start.gencourse, "__file__", str(tmp_path / "site-packages/gencourse/__init__.py")
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="Clone the repository"):
        start.course_folder()
    monkeypatch.chdir(course / "gencourse")
    assert start.course_folder() == course


def test_git_pull_and_start_keep_the_answers(course, tmp_path):
    """As docs/learning.md says: clone, start, answer, pull, start."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    shutil.copy(ROOT / ".gitignore", course)
    clone = tmp_path / "clone"

    def git(place: Path, *words: str) -> str:
        line = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
        return subprocess.run(
            line, cwd=place, check=True, capture_output=True, text=True, encoding="utf-8"
        ).stdout

    git(course, "init", "-q", "-b", "main")
    git(course, "add", "-A")
    git(course, "commit", "-qm", "one")
    git(tmp_path, "clone", "-q", str(course), str(clone))
    list(start.start(course=clone))
    for name in start.FOLDERS:
        answered(clone / f"my-course/{name}/01_vae.ipynb", "beta", "def beta(x):\n    return 2")
    assert git(clone, "status", "--porcelain") == ""
    save(
        course / "exercises/01_vae.ipynb",
        with_ids([*exercise("beta", "reworded"), *exercise("gamma")]),
    )
    git(course, "commit", "-qam", "two")
    git(clone, "pull", "-q")
    list(start.start(course=clone))
    mine = clone / "my-course/exercises/01_vae.ipynb"
    assert texts(mine) == {"beta": "def beta(x):\n    return 2", "gamma": STUB.format("gamma")}
    assert git(clone, "status", "--porcelain") == ""


def test_checks_pass_after_the_answers_were_carried_over():
    """Real exercises, all answered, into an edition that changes every stub and the order."""
    from gencourse.checks import vae as check

    solved = carry.notebook_of((ROOT / "solutions/01_vae.ipynb").read_bytes())
    answers = {carry.exercise_of(one): carry.source_of(one) for one in solved["cells"]} | {"": ""}
    old = carry.notebook_of((ROOT / "exercises/01_vae.ipynb").read_bytes())
    new = copy.deepcopy(old)
    for one in old["cells"]:
        if carry.exercise_of(one):
            one["source"] = answers[carry.exercise_of(one)]
    for one in new["cells"]:
        if carry.exercise_of(one):
            one["source"] = "# reworded\n" + carry.source_of(one)
    new = with_ids([*new["cells"][:3], *reversed(new["cells"][3:])])
    made = carry.carried(old, new)
    assert len(made.answers) == len(made.reworded) == len(answers) - 1
    names: dict = {}
    exec(carry.source_of(made.notebook["cells"][2]), names)  # the imports
    for name in ("reparameterize", "kl_to_standard_normal", "split_heads"):
        (one,) = (c for c in made.notebook["cells"] if carry.exercise_of(c) == name)
        exec(carry.source_of(one), names)
        assert getattr(check, name)(names[name]).status == "right"


def test_the_command_says_what_it_did_and_starts_without_torch(tmp_path):
    line = [sys.executable, "-X", "importtime", "-m", "gencourse", "start", str(tmp_path / "mine")]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "mine") in done.stdout
    assert len(list((tmp_path / "mine").rglob("*.ipynb"))) == 3 * CHAPTERS
    assert " torch\n" not in done.stderr and " nbformat\n" not in done.stderr
