"""Handing out and grading, as commands. What they need is imported when they are called."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from gencourse.console import console, finish, say, show_escapes, show_plan, shown
from gencourse.errors import CourseError, InputError
from gencourse.grading.sandbox.limits import Limits


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
    jobs_at_a_time: Annotated[
        int, typer.Option("--jobs", min=1, help="Submissions at a time.")
    ] = max(1, os.cpu_count() or 1),
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
    with_: Annotated[
        list[Path] | None,
        typer.Option(
            "--with",
            help="A folder or file that the box gets too: packages, data. May be repeated.",
        ),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(help="A table with the columns student and group: one hands in for all."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say who handed in what, and write nothing.")
    ] = False,
    pages: Annotated[
        bool, typer.Option("--pages", help="Also keep each executed notebook, with its plots.")
    ] = False,
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
    from gencourse.grading.sandbox.backends import Sandbox, extras
    from gencourse.grading.sandbox.choose import check_worker, choose

    if not dry_run:
        refuse_root(allow_root)
    if sandbox not in ("", "bubblewrap", "podman", "docker"):
        raise InputError(
            f"grade: --sandbox should be bubblewrap, podman or docker, got {sandbox!r}. Leave it "
            "out to let the first that works be taken."
        )
    limits = Limits(cell_s=cell_seconds, total_s=total_seconds, memory_mib=memory)
    if dry_run:
        wall = Sandbox("none")
    else:
        wall = choose("none" if unsafe_no_sandbox else sandbox or None)
        wall = replace(wall, memory_mib=memory, packages=extras(with_ or []))
    if probe:
        show_escapes(wall)
        return
    if submissions is None:
        raise InputError(
            "grade: submissions should be a folder or a zip, got none. Say: gencourse grade FOLDER"
        )
    # a box that imports the course takes as long as this process, which imports it too
    trial = None if dry_run or cluster else ThreadPoolExecutor(1).submit(check_worker, wall)
    from gencourse.grading.gradebook.book import Gradebook
    from gencourse.grading.handout import assignment as assignments
    from gencourse.grading.judging import batch

    book = Gradebook(gradebook)
    paths = assignment or assignments.handed_out()
    work = batch.planned(
        submissions, paths, wall, limits, book, groups, keep=not dry_run, shows=pages
    )
    for note in work.notes:
        say(note, style="yellow")
    if dry_run:
        show_plan(work)
        return
    batch.enrol(work, book)
    jobs = batch.shard(work.jobs, shard) if shard else work.jobs
    todo = [job for job in jobs if regrade or not book.has(job.key)]
    if unsafe_no_sandbox:
        console.print(
            "[bold red]Without a sandbox: every notebook runs with your rights, and can read and "
            "write what you can.[/]"
        )
    before = len(jobs) - len(todo)
    say(f"{len(jobs)} submissions, {before} of them judged before; held by {wall.kind}.")
    if trial is not None and any(not job.submission.problem for job in todo):
        with console.status("the course is imported in the sandbox, once, to see that it works"):
            trial.result()
    results = (
        batch.on_cluster(todo, cluster)
        if cluster
        else batch.locally(todo, min(jobs_at_a_time, max(1, len(todo))))
    )
    failed = []
    for job, result in shown(results, len(todo)):
        book.save(job.key, result)
        failed += [result.reason] * (result.status == "infrastructure_error")
    finish(book)
    if todo and len(failed) == len(todo):
        raise CourseError(
            f"grade: {len(todo)} submissions should have been judged, and none could be. The last "
            f"reason: {failed[-1]}"
        )


def refuse_root(allowed: bool) -> None:
    """Root's processes escape several limits, and an escape would be root's."""
    if hasattr(os, "geteuid") and os.geteuid() == 0 and not allowed:
        raise InputError(
            "grade: the user should be an ordinary one, got root. Change to another user, or say "
            "--allow-root."
        )
