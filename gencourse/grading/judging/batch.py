"""Many submissions: on this machine's cores, on one shard of them, or on a Dask cluster. The
results are the same files.
"""

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from gencourse.errors import InputError, install_line
from gencourse.grading.gradebook.book import Gradebook
from gencourse.grading.gradebook.records import Result, RosterRow
from gencourse.grading.handout.assignment import Assignment, load
from gencourse.grading.judging import parent_watch
from gencourse.grading.judging.judge import failed, judge
from gencourse.grading.judging.session import Job
from gencourse.grading.sandbox.backends import Sandbox
from gencourse.grading.sandbox.limits import Limits
from gencourse.grading.submissions.choose import Submission
from gencourse.grading.submissions.collect import survey
from gencourse.grading.submissions.groups import read_groups, shared
from gencourse.grading.submissions.names import folded

ATTEMPTS = 3  # at a submission whose judge was lost
SEEDS = 3  # for each exercise, other numbers than those that the learner saw


def seeds_of(secret: str, assignment: str) -> tuple[int, ...]:
    """The seeds of an assignment in a gradebook, from what the gradebook keeps secret."""
    made = hashlib.sha256(f"{secret}\0{assignment}".encode("utf-8", "surrogatepass")).digest()
    # apart from those of the learner's checks and of our tests, which are small
    return tuple(1_000 + int.from_bytes(made[4 * i : 4 * i + 4]) % 2**30 for i in range(SEEDS))


def job_of(
    submission: Submission,
    assignment: Assignment,
    sandbox: Sandbox,
    limits: Limits,
    seeds: tuple[int, ...],
) -> Job:
    """The job of a submission. Its key is a digest of everything that the result depends on."""
    parts: list[object] = [submission.student, submission.student_id, submission.file]
    parts += [submission.digest, submission.problem, submission.flags, submission.python]
    parts += [assignment.version, limits.as_dict(), seeds, sandbox.kind == "none"]
    parts += [sandbox.packages]
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
    return Job(key, submission, assignment, sandbox, limits, seeds)


@dataclass(frozen=True)
class Work:
    """The jobs of a class, the rosters that they make, and sentences on what was not used."""

    jobs: list[Job]
    rows: dict[str, list[RosterRow]]
    notes: tuple[str, ...] = ()


def planned(
    submissions: Path,
    paths: list[Path],
    sandbox: Sandbox,
    limits: Limits,
    book: Gradebook,
    groups: Path | None = None,
    keep: bool = True,
    shows: bool = False,
) -> Work:
    """A job for every student and assignment. Of several assignments those that somebody handed in
    count. Students are spelled as the gradebook knows them; members of a group share a job.
    """
    loaded = [load(path) for path in paths]
    found = survey(submissions, loaded, book.folder)
    handed_in = [name for name, handed in found.found.items() if any(one.file for one in handed)]
    by_name = {assignment.name: assignment for assignment in loaded}
    members = read_groups(groups) if groups else {}
    rosters, secret = book.rosters(), book.secret() if keep else ""
    jobs, notes = [], list(found.notes)
    rows: dict[str, list[RosterRow]] = {}
    for name in handed_in or found.found:
        before = rosters[name].rows if name in rosters else ()
        known = {folded(row.student): row.student for row in before}
        seeds = seeds_of(secret, name)
        rows[name] = []
        for one, students in shared(found.found[name], members, notes):
            spelled = replace(one, student=known.get(folded(one.student), one.student))
            job = replace(job_of(spelled, by_name[name], sandbox, limits, seeds), shows=shows)
            jobs.append(job)
            for student, number in students or [(spelled.student, spelled.student_id)]:
                shown = known.get(folded(student), student)
                rows[name].append(RosterRow(shown, number, one.file, job.key))
    return Work(jobs, rows, tuple(notes))


def enrolled(
    submissions: Path, paths: list[Path], sandbox: Sandbox, limits: Limits, book: Gradebook
) -> list[Job]:
    """A job for every student and assignment; the rosters are written."""
    work = planned(submissions, paths, sandbox, limits, book)
    enrol(work, book)
    return work.jobs


def enrol(work: Work, book: Gradebook) -> None:
    """Write the rosters."""
    versions = {job.assignment.name: job.assignment.version for job in work.jobs}
    for name, rows in work.rows.items():
        book.save_roster(name, rows, versions.get(name, ""))


def shard(jobs: list[Job], text: str) -> list[Job]:
    """The i-th of n parts of the jobs, "i/n" with i from 1 to n."""
    with contextlib.suppress(ValueError):
        i, n = map(int, text.split("/"))
        if 1 <= i <= n:
            return [job for job in jobs if int(job.key, 16) % n == i - 1]
    raise InputError(
        f"grade: --shard should be i/n with i from 1 to n, got {text!r}. For a Slurm array: "
        "--shard "
        "$SLURM_ARRAY_TASK_ID/8."
    )


def locally(jobs: list[Job], workers: int) -> Iterator[tuple[Job, Result]]:
    """Judge on this machine. Whose judge is lost is judged again, alone; three times at most, so
    that no neighbour is blamed.
    """
    waiting = list(jobs)
    alone: list[Job] = []
    lost_alone: Counter[str] = Counter()
    while waiting or alone:
        lost = yield from pooled(waiting, workers) if waiting else pooled([alone.pop(0)], 1)
        for job in lost:
            lost_alone[job.key] += len(lost) == 1
            if lost_alone[job.key] < ATTEMPTS:
                alone.append(job)
            else:
                said = f"The judge was lost {ATTEMPTS} times while it worked on this submission."
                yield job, failed(job, said)


def pooled(waiting: list[Job], workers: int) -> Generator[tuple[Job, Result], None, list[Job]]:
    """Judge what is waiting, several at a time, until all is done or a judge is lost: returns what
    was in work then.
    """
    running: dict[Future, Job] = {}
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=parent_watch.begin
    )
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running[pool.submit(judge, waiting[0])] = waiting[0]
                del waiting[0]
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                result = future.result()
                yield running.pop(future), result
        return []
    except BrokenProcessPool:
        return list(running.values())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def on_cluster(jobs: list[Job], address: str) -> Iterator[tuple[Job, Result]]:
    """Judge on a Dask cluster: a lost worker's submissions go to another one. Needs
    gencourse[cluster].
    """
    try:
        from distributed import Client, as_completed
    except ModuleNotFoundError as error:
        raise InputError(
            "grade: --cluster needs Dask, which is not installed. " + install_line("cluster")
        ) from error
    try:
        client = Client(address, timeout=20)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"grade: --cluster should be the address of a Dask scheduler, got {address!r} "
            f"({error}). Is it running?"
        ) from error
    with client:
        by_key = {job.key: job for job in jobs}
        futures = [
            client.submit(judge, job, key=f"gencourse-{job.key}", retries=ATTEMPTS - 1, pure=True)
            for job in jobs
        ]
        for future in as_completed(futures):
            job = by_key[future.key.removeprefix("gencourse-")]
            if future.status == "finished":
                yield job, future.result()
            else:
                said = f"The cluster could not judge it: {str(future.exception())[:300]}"
                yield job, failed(job, said)
            future.release()
