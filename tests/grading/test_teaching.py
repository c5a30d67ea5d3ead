"""The teachers' manual: its commands are run as they stand there, and its tables name what the tool has, no more and no less."""

# POSIX: the manual's commands, in bash

import ast
import csv
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from gencourse import cli
from gencourse.checks import catalogue
from gencourse.grading.gradebook.book import NOT_YET, Gradebook
from gencourse.grading.gradebook.records import SUBMISSION, VERDICTS
from gencourse.grading.handout import release
from gencourse.grading.judging.judge import judge
from gencourse.grading.sandbox import selftest as probe

ROOT = Path(__file__).parents[2]
MANUAL = ROOT / "docs/teaching.md"
TEXT = MANUAL.read_text("utf-8")
UV = "uv run "
ONE_TASK = '''# %%
from gencourse.checks import vae as check

# %%
def split_heads(h):
    """mu and logvar, each (B, D), from h (B, 2D)."""
    ### BEGIN SOLUTION
    return h.chunk(2, dim=1)
    ### END SOLUTION

# %%
check.split_heads(split_heads)
'''
COMMANDS = typer.main.get_command(cli.app).commands


def prose(text: str) -> str:
    """The text with its blocks of code made blank, every line in its place."""
    return re.sub(
        r"^( *)```\w+\n.*?^ *```$",
        lambda block: re.sub(r"[^\n]", " ", block[0]),
        text,
        flags=re.M | re.S,
    )


def section(title: str) -> str:
    """The text below a heading, up to the next one of its level."""
    blank = prose(TEXT)
    heading = re.search(rf"^(#+) {re.escape(title)}\n", blank, re.M)
    following = re.search(rf"^#{{1,{len(heading[1])}}} ", blank[heading.end() :], re.M)
    return TEXT[heading.end() : heading.end() + following.start() if following else None]


def fences(text: str, language: str) -> list[str]:
    """The blocks in a language, without the indentation that they have in a list."""
    return [
        re.sub(rf"^{m[1]}", "", m[2], flags=re.M)
        for m in re.finditer(rf"^( *)```{language}\n(.*?)^ *```$", text, re.M | re.S)
    ]


def tables(text: str) -> list[list[list[str]]]:
    """The tables, each a list of rows of cells, without heading and rule."""
    found = re.findall(r"(?:^\|.*\n)+", text, re.M)
    return [
        [re.split(r" *(?<!\\)\| *", line.strip("| ")) for line in table.splitlines()[2:]]
        for table in found
    ]


def perform(block: str) -> str:
    """Run the lines of a block; what the shell's lines print. `gencourse` is called in this process, which has imported it."""
    printed, waiting = "", []
    for line in [*block.splitlines(), None]:
        if line is None or line.startswith(f"{UV}gencourse "):
            shell = ["bash", "-e", "-c", "\n".join(waiting)]
            printed += subprocess.run(
                shell, check=True, timeout=280, stdout=subprocess.PIPE, text=True, encoding="utf-8"
            ).stdout
            waiting = []
        if line is None:
            return printed
        if line.startswith(f"{UV}gencourse "):
            words = shlex.split(line.removeprefix(f"{UV}gencourse "))
            root = ["--allow-root"] if words[0] == "grade" and os.geteuid() == 0 else []
            cli.app([*words, *root], standalone_mode=False)
        else:
            waiting.append(
                line.replace(f"{UV}python", sys.executable).replace(
                    f"{UV}jupytext", f"{sys.executable} -m jupytext"
                )
            )


@pytest.fixture(scope="module")
def clone(bubblewrap, tmp_path_factory):
    """A folder like the clone, in which the exercises of chapter 1 are one exercise; beside it the folder `mine` of the manual."""
    home = tmp_path_factory.mktemp("teacher") / "clone"
    source = home.parent / "sources" / "01_vae.py"
    source.parent.mkdir()
    source.write_text(ONE_TASK, "utf-8")
    release.release(source, home / "exercises")
    release.write(release.solved(release.read(source)), home / "solutions" / "01_vae.ipynb")
    mine = home.parent / "mine"
    mine.mkdir()
    for name, text in zip(
        ("my_checks.py", "my_probes.py", "ps1.py"),
        fences(section("Exercises of your own"), "python"),
        strict=True,
    ):
        (mine / name).write_text(text, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setattr(
            "gencourse.grading.judging.batch.locally",
            lambda jobs, workers: ((job, judge(job)) for job in jobs),
        )  # no new processes, for speed
        yield home


@pytest.fixture(scope="module")
def tried(clone):
    """The rows of the trial class after each of the quick start's blocks."""
    first, *blocks = fences(section("Quick start"), "sh")
    with pytest.MonkeyPatch.context() as patch:
        some = probe.attempts
        patch.setattr(
            probe, "attempts", lambda *place: some(*place)[:1]
        )  # all of them are tried elsewhere
        perform(first)
    after = []
    for block in blocks:
        perform(block)
        book = Path("../trial/gradebook")
        after.append({row.student: row for row in Gradebook(book).rows()} if book.exists() else {})
    return after


@pytest.fixture(scope="module")
def own(clone):
    """The gradebook of the class on the manual's own exercise, in which one student more has made a mistake; and what was printed."""
    checked, graded = fences(section("Exercises of your own"), "sh")
    said = perform(checked)
    *before, last = graded.splitlines()
    perform("\n".join(before))
    wrong = (
        Path("../mine/handout/ps1.ipynb")
        .read_text(encoding="utf-8")
        .replace("raise NotImplementedError()", "return torch.xlogy(p, p).sum(1)", 1)
    )
    Path("../mine/submitted/hasty").mkdir()
    Path("../mine/submitted/hasty/ps1.ipynb").write_text(wrong, encoding="utf-8")
    perform(last)
    return Gradebook("../mine/gradebook"), said


# commands


def test_the_quick_start_gives_what_it_says(tried):
    _, graded, by_hand, late = tried  # after what says whether the course starts
    assert {name: (row.status, row.points) for name, row in graded.items()} == {
        "ada": ("graded", 1),
        "ben": ("graded", 0),
        "eve": ("missing", 0),
    }
    assert by_hand["ben"].points == 1 and by_hand["ben"].tasks[0].comment == "Shown at the board."
    assert {name: row.points for name, row in late.items()} == {"ada": 1, "ben": 1, "eve": 1}
    assert late["ada"].key == graded["ada"].key and late["eve"].key != graded["eve"].key
    book = Path("../trial/gradebook")
    assert (book / "reports/index.html").is_file() and len(
        list((book / "reports/students").glob("*.html"))
    ) == 3
    with (book / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {line["student"] for line in csv.DictReader(file)} == {"ada", "ben", "eve"}


@pytest.mark.slow
def test_the_own_exercise_gives_what_it_says(own):
    book, said = own
    rows = {row.student: row for row in book.rows("ps1")}
    assert {name: (row.points, row.out_of, row.waiting) for name, row in rows.items()} == {
        "teacher": (3, 6, 1),
        "nobody": (0, 6, 1),
        "hasty": (0, 6, 1),
    }
    assert [task.kind for task in rows["teacher"].tasks] == ["outside", "kernel", "manual"]
    assert not rows["teacher"].flags and not rows["nobody"].flags
    assert rows["hasty"].tasks[0].mistake == "sign_forgotten"
    assert said.split() == [
        "reference",
        "right",
        "by_torch",
        "right",
        "sign_forgotten",
        "True",
        "in_bits",
        "True",
    ]
    handout = Path("../mine/handout/ps1.ipynb").read_text(encoding="utf-8")
    assert (
        "xlogy" not in handout
        and "-8" not in handout
        and "rubric" not in handout
        and "YOUR ANSWER HERE" in handout
    )


@pytest.mark.slow
def test_the_snippets_run(own, tmp_path):
    """Points from a table, two gradebooks, answers for a program that compares them, nbgrader's source."""
    shutil.copytree("../mine", tmp_path / "class")
    shutil.copytree("../mine/gradebook", tmp_path / "class/gradebook-of-bob")
    (tmp_path / "class/marks.csv").write_text(
        "student,task,points,comment\nteacher,why,2.5,fine\n", "utf-8"
    )
    snippets = [
        s
        for title in ("Points and comments by hand", "Copying", "nbgrader itself")
        for s in fences(section(title), "python")
    ]
    assert len(snippets) == 3
    *here, of_the_clone = [
        s.replace("../class", f"{tmp_path}/class").replace("../nbcourse", f"{tmp_path}/nbcourse")
        for s in snippets
    ]
    for snippet in here:
        exec(compile(snippet.replace('rows("01_vae")', 'rows("ps1")'), "snippet", "exec"), {})
    subprocess.run([sys.executable, "-c", of_the_clone], cwd=ROOT, check=True, timeout=280)
    book = f"{tmp_path}/class/gradebook"
    marks = ["points", book, "--assignment", "ps1", "--from", f"{tmp_path}/class/marks.csv"]
    for words in (marks, ["questions", book, "ps1"], ["similar", book, "ps1"]):
        cli.app(words, standalone_mode=False)
    assert "teacher" in (tmp_path / "class/gradebook/reports/questions-ps1.html").read_text("utf-8")
    rows = {row.student: row for row in Gradebook(tmp_path / "class/gradebook").rows("ps1")}
    assert rows["teacher"].points == 5.5 and rows["teacher"].waiting == 0
    answers = {
        path.parent.name.split("-")[0]: path.read_text("utf-8")
        for path in (tmp_path / "class/answers").glob("*/answers.py")
    }
    assert answers.keys() == {"teacher", "nobody", "hasty"} and "-torch.xlogy" in answers["teacher"]
    assert "BEGIN SOLUTION" in (tmp_path / "nbcourse/source/ch1/01_vae.ipynb").read_text("utf-8")


def test_every_command_uses_options_that_there_are():
    code = re.findall(r"`(gencourse [^`]+)`", TEXT) + [
        line
        for kind in ("sh", "console", "bash")
        for b in fences(TEXT, kind)
        for line in b.splitlines()
    ]
    everything = {
        option
        for command in COMMANDS.values()
        for parameter in command.params
        for option in parameter.opts
    }
    assert set(re.findall(r"`(--[\w-]+)", TEXT)) <= everything | {"--protocol"}, (
        "options in the prose; --protocol is Dask's"
    )
    calls = [
        m
        for line in code
        for m in re.finditer(r"\bgencourse (\w+)([^&|;]*)", line)
        if "build --tag" not in line
    ]
    assert {call[1] for call in calls} == set(COMMANDS)
    for call in calls:
        known = {option for parameter in COMMANDS[call[1]].params for option in parameter.opts} | {
            "--help"
        }
        assert set(re.findall(r"(?<!\S)--[\w-]+", call[2])) <= known, call[0]


# tables


def test_every_option_of_grade_is_in_the_table_and_no_other():
    listed = [row[0].strip("`") for row in tables(section("Grade"))[0]]
    assert sorted(listed) == sorted(
        option
        for p in COMMANDS["grade"].params
        for option in p.opts
        if option.startswith("--") and option != "--help"
    )


def flags_of(source: str) -> set[str]:
    """The flags in a module: first arguments of what raises them, and pairs of a flag and a sentence."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        first = rest = None
        if isinstance(node, ast.Call) and getattr(
            node.func, "attr", getattr(node.func, "id", "")
        ) in ("WorkerLost", "_lose", "flag"):
            first, *rest = [*node.args, None]
        elif isinstance(node, ast.Tuple) and len(node.elts) == 2:
            first, *rest = node.elts
        sentence = rest and (
            isinstance(rest[0], ast.JoinedStr | ast.Call)
            or " " in str(getattr(rest[0], "value", ""))
            or getattr(rest[0], "id", "") in ("sentence", "newer", "left")
        )
        if (
            sentence
            and isinstance(first, ast.Constant)
            and re.fullmatch(r"[a-z]+(-[a-z]+)*", str(first.value))
        ):
            found.add(first.value)
    return found


def test_every_flag_is_in_the_table_and_no_other():
    made = set().union(
        *(
            flags_of((ROOT / f"gencourse/grading/{name}.py").read_text("utf-8"))
            for name in (
                *("submissions/rebuild", "submissions/collect", "submissions/choose"),
                *("submissions/oddities", "submissions/suspicions", "submissions/groups"),
                *("judging/judge", "judging/session", "judging/remote"),
                "sandbox/worker_process",
            )
        )
    )
    assert {
        "late",
        "slow",
        "ids-lost",
        "gave-up",
        "own-implementation",
        "malformed-reply",
    } <= made, "the search has no power"
    listed = [row[0].strip("`") for row in tables(section("Flags"))[0]]
    assert sorted(listed) == sorted(made)


def test_every_status_is_explained():
    submission = {row[0] for row in tables(section("Statuses"))[0]}
    assert submission == SUBMISSION | {NOT_YET}
    assert all(f"`{verdict}`" in section("Statuses") for verdict in VERDICTS | {"graded by hand"})


def test_every_layout_of_submissions_is_recognised(tmp_path):
    from gencourse.grading.handout import assignment as assignments
    from gencourse.grading.submissions.collect import collect

    (tmp_path / "01_vae.py").write_text(ONE_TASK, "utf-8")
    released = release.release(tmp_path / "01_vae.py", tmp_path / "handout")
    loaded = assignments.load(released)
    for number, (places, whose) in enumerate(tables(section("Collect"))[0]):
        student, identity = re.match(r"`([^`]+)`(?:, id (\d+))?", whose).groups()
        for place in re.findall(r"`([^`]+\.ipynb)`", places):
            home = tmp_path / f"{number}-{len(place)}"
            for path in (
                home / place,
                *([home / "zoe/01_vae.ipynb"] if place.startswith("ada/") else []),
            ):  # a class, not one wrapped folder
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(released, path)
            handed = collect(home, [loaded])["01_vae"][0]
            assert (handed.student, handed.student_id, handed.problem) == (
                student,
                identity or "",
                "",
            ), place


def test_the_plan_adds_up():
    """Every exercise is homework once, with the minutes and points that it is registered with."""
    names, chapter, given = {}, "", []
    for source in sorted((ROOT / "authoring/exercises").glob("[0-9]*.py")):
        parts = re.split(r"^# ## (.+)$", source.read_text("utf-8"), flags=re.M)
        for heading, text in zip(parts[1::2], parts[2::2], strict=True):
            names[source.stem, heading] = re.findall(r"\{\{exercise (\w+)\}\}", text)
    for _, _, homework, count, minutes, points in tables(section("Ten sessions"))[0]:
        chapter = re.match(r"\[?(\w+)", homework)[1]
        checks = {
            e.name: e
            for e in catalogue(
                importlib.import_module(f"gencourse.checks.{chapter.split('_', 1)[1]}")
            )
        }
        mine = [
            name
            for heading in homework.split(": ", 1)[1].split("; ")
            for name in names[chapter, heading]
        ]
        assert [
            len(mine),
            sum(checks[n].minutes for n in mine),
            sum(checks[n].points for n in mine),
        ] == [
            int(count),
            int(minutes),
            int(points),
        ]
        given += [(chapter, name) for name in mine]
    assert sorted(given) == sorted(
        (chapter, name) for (chapter, _), some in names.items() for name in some
    )


# links


def anchors(text: str) -> set[str]:
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", prose(text), re.M)
    }


def test_links_lead_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)]*)\)", TEXT)
    assert len(links) > 20
    for link in links:
        path, _, anchor = link.partition("#")
        target = (MANUAL.parent / path).resolve() if path else MANUAL
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text("utf-8")), link
