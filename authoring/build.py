"""Make the notebooks from their sources. Run it after every change below authoring/.

    uv run python -m authoring.build                     exercises and solutions; chapters keep
                                                         the outputs that still fit
    uv run python -m authoring.build --execute 01_vae    also run this chapter (without a name: all)
                                                         and keep the figures
    uv run python -m authoring.build --check             write nothing; fail if anything in the
                                                         three folders is out of date
    uv run python -m authoring.build --repository URL    the course lives there now: badges, first
                                                         cells and links; nothing is executed

| source | generated |
| --- | --- |
| authoring/chapters/NAME.py | notebooks/NAME.ipynb, executed |
| authoring/exercises/NAME.py | exercises/NAME.ipynb, unsolved; solutions/NAME.ipynb, solved |

The folders are the registry: a new file is a new chapter. In a source, `{{name}}` stands for the
number of a claim, which stands in gencourse/claims/NAME.toml and is compared, never written;
`{{exercise name}}` for the heading of an exercise, with stars, minutes and points as the package
knows them. Answers stand between BEGIN SOLUTION and END
SOLUTION; gencourse/grading/handout/release.py takes them out.
"""

import argparse
import ast
import base64
import contextlib
import copy
import io
import os
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

from authoring import address, front_page
from authoring.alternatives import described
from gencourse import claims
from gencourse.grading.handout import release
from gencourse.grading.handout.release import as_text, with_ids

ROOT = Path(__file__).parents[1]
PICTURES = {"cover", "map"}
TAGS = {"solution", "widget"} | PICTURES
KEPT = {"tags", "nbgrader", "gencourse"}  # of the metadata of a cell
SIZE_LIMIT = 1_800_000  # bytes of an executed chapter
METADATA = NotebookNode(
    kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
    language_info={"name": "python"},
)
FIRST_CELL = (ROOT / "authoring/colab_bootstrap.py").read_text("utf-8").strip()


def read(source: Path, folder: str) -> NotebookNode:
    """A py:percent file as a notebook with title badge, bootstrap cell, stable cell ids and nothing
    else in its metadata.
    """
    notebook = jupytext.read(source, fmt="py:percent")
    title, *rest = notebook.cells
    title.source = f"{address.badge(folder, source.stem)}\n\n{title.source}".lstrip("\n")
    notebook.cells = [title, nbformat.v4.new_code_cell(first_cell()), *rest]
    for cell in notebook.cells:
        unknown = set(cell.metadata.get("tags", ())) - TAGS
        if unknown:
            raise SystemExit(
                f"{source}: tags should be among {sorted(TAGS)}, got {sorted(unknown)}. Correct "
                "the cell."
            )
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in KEPT}
    notebook.metadata = copy.deepcopy(METADATA)
    return notebook


def first_cell() -> str:
    """The code that every notebook begins with, of this edition and for this address."""
    filled = {
        "<EDITION>": address.version(),
        "<ADDRESS>": f"{address.repository()}@{address.ref()}",
    }
    return re.sub("|".join(filled), lambda match: filled[match[0]], FIRST_CELL)


def is_first(cell: NotebookNode) -> bool:
    """Whether a cell is the one that every notebook begins with, of this edition or another."""
    return cell.cell_type == "code" and "\nEDITION, ADDRESS = " in cell.source


def greeted(notebook: NotebookNode) -> NotebookNode:
    """A chapter whose first cell has the output that it has here and now: it is run, and the rest
    is not.

    Of what it prints the first line is kept, which names the edition; the others would tell a
    reader what is off on the author's machine.
    """
    for cell in filter(is_first, notebook.cells):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(re.sub(r"^( *)[%!].*$", r"\1pass", cell.source, flags=re.M), {})
        line = said.getvalue().splitlines()[0] + "\n"
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=line)]
    return notebook


def stated_numbers(notebook: NotebookNode, source: Path) -> dict[str, str]:
    """What the text may state: name -> number of each entry of the chapter's file in
    gencourse/claims/, all of which the notebook has to claim, and no others.
    """
    file = f"gencourse/claims/{source.stem}.toml"
    entries = claims.stated(source.stem)
    found = [name for cell in notebook.cells for name in claims_of(cell)]
    if twice := sorted({name for name in found if found.count(name) > 1}):
        raise SystemExit(
            f"{source}: claims should have different names, got {', '.join(twice)} twice. "
            "Rename one."
        )
    if unknown := sorted(set(found) - entries.keys()):
        raise SystemExit(
            f"{source}: every claim should have an entry in {file}, got none for "
            f"{', '.join(unknown)}. Add it by hand."
        )
    if unclaimed := sorted(entries.keys() - set(found)):
        raise SystemExit(
            f"{file}: every entry should be claimed in the chapter, got none for "
            f"{', '.join(unclaimed)}. Add claim(name, value), or take it out."
        )
    return {name: entry.number() for name, entry in entries.items()}


def claims_of(cell: NotebookNode) -> list[str]:
    """The names in the calls claim("name", ...) of a cell of code."""
    if cell.cell_type != "code" or "claim(" not in cell.source:
        return []
    tree = ast.parse(re.sub(r"^[ \t]*[%!].*$", "", cell.source, flags=re.M))
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [
        ast.literal_eval(call.args[0]) for call in calls if getattr(call.func, "id", "") == "claim"
    ]


def chapter(source: Path) -> NotebookNode:
    """The notebook of a chapter, not executed: numbers of claims are put into the prose."""
    notebook = read(source, "notebooks")
    numbers = stated_numbers(notebook, source)
    used: set[str] = set()

    def number(match: re.Match) -> str:
        if match[1] not in numbers:
            raise SystemExit(
                f"{source}: the prose should state claimed numbers only, got "
                f"{{{{{match[1]}}}}}. "
                f"Add claim({match[1]!r}, ...) and its entry."
            )
        used.add(match[1])
        return numbers[match[1]]

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\{\{(\w+)\}\}", number, cell.source)
    if unused := sorted(numbers.keys() - used):
        raise SystemExit(
            f"{source}: every claim should be stated in the prose, got none for "
            f"{', '.join(unused)}. Use {{{{name}}}}."
        )
    return with_ids(notebook)


def instructor(source: Path, folder: str) -> NotebookNode:
    """The exercises as their author wrote them, with the answers between markers, and the headings
    filled in.
    """
    notebook = read(source, folder)
    if folder == "exercises":
        notebook.cells = [
            cell for cell in notebook.cells if "solution" not in cell.metadata.get("tags", [])
        ]
    checks = front_page.checks_of(source)
    number = 0
    for cell in notebook.cells:
        if heading := re.search(r"\{\{exercise (\w+)\}\}", cell.source):
            number += 1
            cell.source = cell.source.replace(
                heading[0], exercise_heading(number, getattr(checks, heading[1]))
            )
    return notebook


def exercise_set(source: Path, solved: bool) -> NotebookNode:
    """The notebook of exercises, with answers or with stubs, and nbgrader's metadata."""
    notebook = instructor(source, "solutions" if solved else "exercises")
    if found := release.lint(notebook):
        raise SystemExit(
            "\n".join([f"{source} should have no problems, got {len(found)}. Fix them.", *found])
        )
    return with_ids(release.solved(notebook) if solved else release.released(notebook))


def exercise_heading(number: int, exercise) -> str:
    stars = "★" * exercise.difficulty + "☆" * (3 - exercise.difficulty)
    return (
        f"{number} · `{exercise.name}`\n\n{stars} · about {exercise.minutes} minutes · "
        f"{exercise.points} point{'s' * (exercise.points != 1)}"
    )


def execute(notebook: NotebookNode) -> NotebookNode:
    """Run a chapter at the default scale with its claims enforced, and keep what is stable of its
    outputs.
    """
    os.environ |= {"GENCOURSE_SCALE": "default", "GENCOURSE_STRICT": "1", "GENCOURSE_DEVICE": "cpu"}
    os.environ["GENCOURSE_WIDGETS"] = "0"  # pages without a kernel show the static figures
    os.environ["OMP_NUM_THREADS"] = (
        "1"  # sums in one order: the same numbers and figures at every execution
    )
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        coalesce_streams=True,
        record_timing=False,
        extra_arguments=["--log-level=40"],
        resources={"metadata": {"path": str(ROOT / "notebooks")}},
    )
    client.execute()
    for model in (
        notebook.metadata.get("widgets", {})
        .get("application/vnd.jupyter.widget-state+json", {})
        .get("state", {})
        .values()
    ):
        if "ename" in str(model.get("state", {}).get("outputs", "")):
            raise SystemExit(f"an error was filed in a widget: {model['state']['outputs']}")
    # without the kernel's version and the widgets' state
    notebook.metadata = copy.deepcopy(METADATA)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                o for o in cell.outputs if o.get("name") != "stderr" and not is_widget(o)
            ]
            cell.metadata.pop("execution", None)
            for output in cell.outputs:
                if png := output.get("data", {}).get("image/png"):
                    output.data["image/png"] = in_a_palette(png)
    return notebook


def in_a_palette(png: str) -> str:
    """A picture (base64) in the 256 colours that suit it best, which halves its size."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    chosen = picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    chosen.save(target := io.BytesIO(), "PNG", optimize=True)
    return base64.b64encode(target.getvalue()).decode()


def is_widget(output: NotebookNode) -> bool:
    return "application/vnd.jupyter.widget-view+json" in output.get("data", {})


def keep_outputs(notebook: NotebookNode, target: Path) -> NotebookNode:
    """Take over the stored outputs of an unchanged code; a chapter whose code changed must be
    executed again. The first cell, which says the edition, belongs to no chapter.
    """
    if not target.exists():
        return notebook
    stored = nbformat.read(target, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    old = [cell for cell in stored.cells if cell.cell_type == "code"]
    begin = int(is_first(code[0])) if code else 0
    if len(code) == len(old) and all(
        cell.source == known.source for cell, known in zip(code[begin:], old[begin:], strict=True)
    ):
        for cell, known in zip(code, old, strict=True):
            cell.outputs, cell.execution_count = known.outputs, known.execution_count
        return greeted(notebook)
    return notebook


def problems(notebook: NotebookNode, target: Path) -> list[str]:
    """What is wrong with a generated file: out of date, not executed, or too large."""
    name = target.relative_to(ROOT).as_posix()
    if not target.exists():
        return [f"{name} is missing"]
    text = target.read_text("utf-8")
    if text != as_text(notebook):
        return [f"{name} is out of date"]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if target.parent.name != "notebooks":
        return [f"{name} holds outputs"] if any(cell.outputs for cell in code) else []
    found = [
        f"{file.name} is out of date"
        for file, png in pictures(notebook, target).items()
        if not file.exists() or file.read_bytes() != png
    ]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        found.append(f"{name} was not executed from top to bottom")
    if len(text) > SIZE_LIMIT:
        found.append(f"{name} has {len(text):,} bytes, more than {SIZE_LIMIT:,}")
    return found


def pictures(notebook: NotebookNode, target: Path) -> dict[Path, bytes]:
    """The figures of cells tagged "cover" or "map", which README.md shows: file -> PNG."""
    found = {}
    for cell in notebook.cells:
        for tag in PICTURES & set(cell.metadata.get("tags", ())):
            png = next(
                (o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {})),
                None,
            )
            if png is not None:
                found[target.parent / f"{target.stem}_{tag}.png"] = base64.b64decode(png)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "names", nargs="*", help="stems of sources, 01_vae say; all if none is given"
    )
    parser.add_argument(
        "--execute", action="store_true", help="run the chapters and keep their figures"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing, fail if anything is out of date"
    )
    parser.add_argument(
        "--repository", metavar="URL", help="the public repository in which the course lives"
    )
    options = parser.parse_args()
    if options.check and options.repository:
        parser.error("--check writes nothing, so --repository should be left out")
    known = sorted({source.stem for source in (ROOT / "authoring").glob("*/[0-9]*.py")})
    if strange := [name for name in options.names if name not in known]:
        parser.error(f"names should be of {', '.join(known)}, got {', '.join(strange)}")
    if not options.check and (wanted := address.chosen(options.repository)) != address.repository():
        print(f"the course lives at {wanted}: {', '.join(address.settle(wanted))}")
    found: list[str] = []
    for source in sorted((ROOT / "authoring").glob("*/[0-9]*.py")):
        if options.names and source.stem not in options.names:
            continue
        if source.parent.name == "chapters":
            target = ROOT / "notebooks" / f"{source.stem}.ipynb"
            notebook = chapter(source)
            made = {
                target: described(
                    greeted(execute(notebook))
                    if options.execute
                    else keep_outputs(notebook, target)
                )
            }
        else:
            made = {
                ROOT / f / f"{source.stem}.ipynb": exercise_set(source, f == "solutions")
                for f in ("exercises", "solutions")
            }
        for target, notebook in made.items():
            if options.check:
                found += problems(notebook, target)
            else:
                target.parent.mkdir(exist_ok=True)
                target.write_text(as_text(notebook), "utf-8", newline="\n")
                for file, png in pictures(notebook, target).items():
                    file.write_bytes(png)
                print(f"{target.relative_to(ROOT)}: {target.stat().st_size:,} bytes")
    for page, text in front_page.made().items():
        if not options.check:
            page.write_text(text, "utf-8", newline="\n")
        elif text != page.read_text("utf-8"):
            found.append(f"{page.relative_to(ROOT)} is out of date")
    if found:
        sys.exit("\n".join([*found, "Run: uv run python -m authoring.build --execute"]))


if __name__ == "__main__":
    main()
