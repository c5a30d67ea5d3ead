"""On a Dask cluster the class gets the same table, also when a worker is lost on the way."""

import subprocess
import sys
import time

import psutil
import pytest
from distributed import Client, LocalCluster

from gencourse.errors import InputError
from gencourse.grading.judging import batch as run
from tests.grading.test_run import DEADLY, MISTAKEN, RIGHT, command, grade, hand_in, results, table

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SLOW = "import time\n\ntime.sleep(2)\n\n\n" + RIGHT
ANSWERS = {"anna": RIGHT, "ben": MISTAKEN, "cem": DEADLY, "dan": None, "eva": SLOW, "fay": SLOW}


@pytest.fixture(scope="module")
def cluster():
    """Two workers, each a process of its own with a nanny that starts it again."""
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        memory_limit=0,
        host="127.0.0.1",
        dashboard_address=None,
        silence_logs=50,
    ) as made:
        yield made


def workers(cluster) -> list[int]:
    """The processes of the workers, without their nannies."""
    return [
        nanny.process.process.pid
        for nanny in cluster.workers.values()
        if nanny.process and nanny.process.process
    ]


def test_a_worker_that_is_killed_midway_changes_nothing(bubblewrap, cluster, tmp_path):
    home = hand_in(tmp_path, ANSWERS)
    line = command(home, home / "cluster", "--cluster", cluster.scheduler_address)
    process = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    )
    until = time.monotonic() + 300
    while (
        len(results(home / "cluster")) < 3 and process.poll() is None and time.monotonic() < until
    ):
        time.sleep(0.05)
    assert process.poll() is None, process.stdout.read()
    before, (victim, *_) = results(home / "cluster"), workers(cluster)
    psutil.Process(victim).kill()
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    after = results(home / "cluster")
    assert (
        before.items() <= after.items() and len(after) == len(ANSWERS) and len(before) < len(after)
    )
    assert victim not in workers(cluster)
    assert grade(home, home / "local", "--jobs", "2").returncode == 0
    assert table(home / "cluster") == table(home / "local")
    assert (home / "cluster" / "grades.csv").read_bytes() == (
        home / "local" / "grades.csv"
    ).read_bytes()
    done = grade(home, home / "local", "--cluster", cluster.scheduler_address)
    assert f"{len(ANSWERS)} of them judged before" in done.stdout, (
        "where something is judged does not matter"
    )


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense"])
def test_an_address_where_nothing_listens_is_one_sentence(address, monkeypatch):
    monkeypatch.setattr(
        "distributed.Client", lambda address, timeout: Client(address, timeout=2)
    )  # do not wait for long
    with pytest.raises(InputError, match="the address of a Dask scheduler") as said:
        list(run.on_cluster([], address))
    assert "\n" not in str(said.value)


def test_without_dask_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r'pip install -e "\.\[cluster\]"'):
        list(run.on_cluster([], "tcp://127.0.0.1:1"))
