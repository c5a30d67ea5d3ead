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
from multiprocessing import get_context
from pathlib import Path

from gencourse.errors import InputError, install_line
from gencourse.grading.gradebook.book import Gradebook
from gencourse.grading.handout.assignment import Assignment, load
from gencourse.grading.judging.judge import SEEDS, Job, heading, judge, unjudged
from gencourse.grading.judging.parent_watch import end_with_parent
from gencourse.grading.sandbox.backends import Sandbox
from gencourse.grading.sandbox.limits import Limits
from gencourse.grading.submissions.collect import Submission, collect

ATTEMPTS = 3  # at a submission whose judge was lost


def job_of(handed: Submission, assignment: Assignment, sandbox: Sandbox, limits: Limits) -> Job:
    """The job of a submission. Its key is a digest of everything that the result depends on."""
    parts = [
        handed.student,
        handed.student_id,
        handed.file,
        handed.digest,
        handed.problem,
        handed.flags,
    ]
    parts += [assignment.version, limits.as_dict(), SEEDS, sandbox.kind == "none"]
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
    return Job(key, handed, assignment, sandbox, limits)


def enrolled(
    submissions: Path, paths: list[Path], sandbox: Sandbox, limits: Limits, book: Gradebook
) -> list[Job]:
    """A job for every student and assignment; the rosters are written. Of several assignments those
    that somebody handed in count.
    """
    loaded = {path.stem: load(path) for path in paths}
    found = collect(submissions, list(loaded.values()))
    handed_in = [name for name, handed in found.items() if any(one.file for one in handed)]
    work = []
    for name in handed_in or found:
        own = [job_of(one, loaded[name], sandbox, limits) for one in found[name]]
        rows = [
            {
                "student": j.submission.student,
                "student_id": j.submission.student_id,
                "file": j.submission.file,
                "key": j.key,
            }
            for j in own
        ]
        book.save_roster(name, rows, loaded[name].version)
        work += own
    return work


def failed(job: Job, reason: str) -> dict:
    """The result of a job that could not be done here: never a grade, and tried again by the next
    run.
    """
    return heading(job) | unjudged(job, "infrastructure_error", reason)


def shard(jobs: list[Job], text: str) -> list[Job]:
    """The i-th of n parts of the jobs, "i/n" with i from 1 to n."""
    with contextlib.suppress(ValueError):
        i, n = map(int, text.split("/"))
        if 1 <= i <= n:
            return [job for job in jobs if int(job.key, 16) % n == i - 1]
    raise InputError(
        f"grade: --shard should be i/n with i from 1 to n, got {text!r}. For a Slurm array: --shard $SLURM_ARRAY_TASK_ID/8."
    )


def locally(jobs: list[Job], workers: int) -> Iterator[tuple[Job, dict]]:
    """Judge on this machine. Whose judge is lost is judged again, alone; three times at most, so
    that no neighbour is blamed.
    """
    waiting, alone, lost_alone = list(jobs), [], Counter()
    while waiting or alone:
        lost = yield from pooled(waiting, workers) if waiting else pooled([alone.pop(0)], 1)
        for job in lost:
            lost_alone[job.key] += len(lost) == 1
            if lost_alone[job.key] < ATTEMPTS:
                alone.append(job)
            else:
                yield (
                    job,
                    failed(
                        job,
                        f"The judge was lost {ATTEMPTS} times while it worked on this submission.",
                    ),
                )


def pooled(waiting: list[Job], workers: int) -> Generator[tuple[Job, dict], None, list[Job]]:
    """Judge what is waiting, several at a time, until all is done or a judge is lost: returns what
    was in work then.
    """
    running: dict[Future, Job] = {}
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=end_with_parent
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


def on_cluster(jobs: list[Job], address: str) -> Iterator[tuple[Job, dict]]:
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
            f"grade: --cluster should be the address of a Dask scheduler, got {address!r} ({error}). Is it running?"
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
                yield (
                    job,
                    failed(job, f"The cluster could not judge it: {str(future.exception())[:300]}"),
                )
            future.release()
