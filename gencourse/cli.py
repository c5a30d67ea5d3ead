"""The command `gencourse`: start a folder of one's own, train a model; hand out exercises, grade
what comes back, export and report.

Each command imports what it needs when it is called, so that help and usage errors do not wait for
torch.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from gencourse import __version__
from gencourse.console import console, finish, show_escapes, show_findings, shown
from gencourse.errors import InputError
from gencourse.grading.sandbox.limits import Limits

HELP = (
    "Learners: start, a folder of your own; train, a model at full scale. Teachers: hand out "
    "exercises, grade what comes back, export and report."
)
app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=HELP
)


def say_version(asked: bool) -> None:
    """The edition, and the end."""
    if asked:
        console.print(f"gencourse {__version__}", highlight=False)
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=say_version, help="Say the edition."),
    ] = False,
) -> None:
    """Hand out exercises, grade what comes back, export and report."""


@app.command()
def doctor() -> None:
    """See whether all is well here: Python, packages, device, data; what is off gets a command."""
    from gencourse.doctor import examine

    show_findings(examine())


GradebookFolder = Annotated[Path, typer.Argument(help="The folder that `gencourse grade` filled.")]


@app.command()
def start(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Your folder; my-course in the course's folder if none is given."),
    ] = None,
) -> None:
    """Copy the course into a folder of your own; after a `git pull`, bring in the new edition.

    Your answers are carried over, and the notebooks before are kept in earlier/.
    """
    from gencourse.editions import start as starting

    for sentence in starting.start(folder):
        console.print(sentence, highlight=False, markup=False, soft_wrap=True)


@app.command()
def train(
    name: Annotated[
        str, typer.Argument(help="Which model, vae or gpt say; without it all are named.")
    ] = "",
    scale: Annotated[
        str, typer.Option(help="smoke, default or full; full if the data are not those that ship.")
    ] = "",
    data: Annotated[
        str, typer.Option(help="shipped, full (downloads), or the path of the data's files.")
    ] = "shipped",
    steps: Annotated[
        int | None, typer.Option(help="Steps of training; the scale's if none are given.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="In place of steps: as many as fit into these seconds.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, batches and noise.")] = 0,
    to: Annotated[
        Path | None, typer.Option(help="The folder of the result; trained/NAME if none is given.")
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes of this machine that share each batch.")
    ] = 1,
) -> None:
    """Train a chapter's model on its own. Stop it with Ctrl-C; the same command goes on."""
    from gencourse.experiments import folder, run

    path = run.train(
        name,
        scale=scale,
        data=data,
        steps=steps,
        seconds=seconds,
        seed=seed,
        to=to,
        processes=processes,
    )
    if folder.Folder(path).scores() is None:
        raise typer.Exit(130)


@app.command()
def release(
    notebooks: Annotated[
        list[Path], typer.Argument(help="Your notebooks with answers, .ipynb or .py.")
    ],
    to: Annotated[Path, typer.Option(help="The folder for what learners get.")],
) -> None:
    """Make the notebooks that learners get: answers become stubs, checks are locked."""
    from gencourse.grading.handout import release as releases

    for notebook in notebooks:
        console.print(f"{releases.release(notebook, to)}", highlight=False, soft_wrap=True)


@app.command()
def grade(
    submissions: Annotated[
        Path | None, typer.Argument(help="A folder, or the zip that Canvas or Moodle gave you.")
    ] = None,
    assignment: Annotated[
        list[Path] | None,
        typer.Option(help="What was handed out; the notebooks of exercises/ if none is given."),
    ] = None,
    gradebook: Annotated[Path, typer.Option(help="Where the results are kept.")] = Path(
        "gradebook"
    ),
    jobs: Annotated[int, typer.Option(min=1, help="Submissions at a time.")] = max(
        1, os.cpu_count() or 1
    ),
    sandbox: Annotated[
        str,
        typer.Option(help="bubblewrap, podman or docker; the first that works if none is given."),
    ] = "",
    cluster: Annotated[str, typer.Option(help="The address of a Dask scheduler.")] = "",
    shard: Annotated[
        str, typer.Option(help="i/n: only the i-th of n parts, for a Slurm array.")
    ] = "",
    cell_seconds: Annotated[
        float, typer.Option(help="The most that one cell may take.")
    ] = Limits.cell_s,
    total_seconds: Annotated[
        float, typer.Option(help="The most that one submission may take.")
    ] = Limits.total_s,
    memory: Annotated[
        int, typer.Option(help="The most memory for one submission, in MiB.")
    ] = Limits.memory_mib,
    regrade: Annotated[
        bool, typer.Option("--regrade", help="Judge again what is judged already.")
    ] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Only try one escape of each kind from the sandbox.")
    ] = False,
    unsafe_no_sandbox: Annotated[
        bool, typer.Option("--unsafe-no-sandbox", help="Run submissions with your own rights.")
    ] = False,
    allow_root: Annotated[
        bool, typer.Option("--allow-root", help="Grade as root, where limits hold less well.")
    ] = False,
) -> None:
    """Grade a class: results, a CSV, a report for every student, and a summary of the class."""
    from gencourse.grading.gradebook.book import Gradebook
    from gencourse.grading.handout import assignment as assignments
    from gencourse.grading.judging import batch as run
    from gencourse.grading.sandbox.backends import choose

    refuse_root(allow_root)
    if sandbox not in ("", "bubblewrap", "podman", "docker"):
        raise InputError(
            f"grade: --sandbox should be bubblewrap, podman or docker, got {sandbox!r}. Leave it "
            "out to let the first that works be taken."
        )
    wall = choose("none" if unsafe_no_sandbox else sandbox or None)
    if probe:
        show_escapes(wall)
        return
    if submissions is None:
        raise InputError(
            "grade: submissions should be a folder or a zip, got none. Say: gencourse grade FOLDER"
        )
    limits = Limits(cell_s=cell_seconds, total_s=total_seconds, memory_mib=memory)
    book = Gradebook(gradebook)
    paths = assignment or assignments.handed_out()
    work = run.enrolled(submissions, paths, wall, limits, book)
    work = run.shard(work, shard) if shard else work
    todo = [job for job in work if regrade or not book.has(job.key)]
    if unsafe_no_sandbox:
        console.print(
            "[bold red]Without a sandbox: every notebook runs with your rights, and can read and "
            "write what you can.[/]"
        )
    console.print(
        (
            f"{len(work)} submissions, {len(work) - len(todo)} of them judged before; held by "
            f"{wall.kind}."
        ),
        highlight=False,
    )
    results = (
        run.on_cluster(todo, cluster)
        if cluster
        else run.locally(todo, min(jobs, max(1, len(todo))))
    )
    for job, result in shown(results, len(todo)):
        book.save(job.key, result)
    finish(book)


def refuse_root(allowed: bool) -> None:
    """Root's processes escape several limits, and an escape would be root's."""
    if hasattr(os, "geteuid") and os.geteuid() == 0 and not allowed:
        raise InputError(
            "grade: the user should be an ordinary one, got root. Change to another user, or say "
            "--allow-root."
        )


@app.command()
def points(
    gradebook: GradebookFolder,
    student: str,
    assignment: str,
    task: Annotated[
        str, typer.Argument(help="The name of the task; '' for a comment on the whole.")
    ],
    points: Annotated[
        float | None,
        typer.Argument(help="Points by hand. They win over the judge's, now and after a regrade."),
    ] = None,
    comment: Annotated[str, typer.Option(help="Shown in the student's report.")] = "",
    clear: Annotated[
        bool, typer.Option("--clear", help="Forget what was given by hand before.")
    ] = False,
) -> None:
    """Give points or a comment by hand."""
    from gencourse.grading.gradebook.book import Gradebook

    book = Gradebook(gradebook)
    book.grade_by_hand(student, assignment, task, points, comment, clear)
    finish(book)


@app.command()
def export(
    gradebook: GradebookFolder,
    to: Annotated[Path, typer.Option(help="The file to write.")],
    assignment: Annotated[str, typer.Option(help="Which assignment, for Canvas and Moodle.")] = "",
    canvas: Annotated[
        Path | None, typer.Option(help="A gradebook exported from Canvas, to be filled in.")
    ] = None,
    column: Annotated[str, typer.Option(help="The column of the Canvas sheet.")] = "",
    moodle: Annotated[
        Path | None,
        typer.Option(help="A grading worksheet downloaded from Moodle, to be filled in."),
    ] = None,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Also write grades that wait for points by hand.")
    ] = False,
) -> None:
    """Write the grades as CSV, or fill in the sheet that Canvas or Moodle exported."""
    from gencourse.grading.gradebook import export as exports
    from gencourse.grading.gradebook.book import Gradebook

    book = Gradebook(gradebook)
    if canvas and moodle:
        raise InputError(
            "export: the sheet should be Canvas's or Moodle's, got both. Fill in one after the "
            "other."
        )
    said: list[str] = []
    if canvas:
        said = exports.fill_canvas(book, canvas, column, to, assignment, unfinished)
    elif moodle:
        said = exports.fill_moodle(book, moodle, to, assignment, unfinished)
    else:
        exports.long_csv(book, to)
    for sentence in [*said, str(to)]:
        console.print(sentence, highlight=False, markup=False, soft_wrap=True)


@app.command()
def report(gradebook: GradebookFolder) -> None:
    """Write the CSV and the HTML reports anew."""
    from gencourse.grading.gradebook.book import Gradebook

    finish(Gradebook(gradebook))
