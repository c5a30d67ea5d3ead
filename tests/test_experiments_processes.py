"""`gencourse train` by several processes: the numbers of one, and a sentence where one is lost."""

# POSIX: processes that are killed

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from gencourse.errors import InputError
from gencourse.experiments import train
from gencourse.runtime import bfloat16_is_faster
from gencourse.training import checkpoint

pytestmark = [pytest.mark.posix, pytest.mark.slow]
ROOT = Path(__file__).parents[1]
ROUNDING = 1e-2 if bfloat16_is_faster(torch.device("cpu")) else 1e-4  # of other sums


def command(*words: str, launcher: tuple[str, ...] = ()) -> list[str]:
    return [sys.executable, *launcher, "-m", "gencourse", "train", *words]


def run(line: list[str]) -> subprocess.CompletedProcess:
    env = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.run(line, env=env, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")


def measures(folder: Path) -> list[list[float]]:
    """The numbers of metrics.csv, but for the seconds."""
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as sheet:
        rows = list(csv.DictReader(sheet))
    return [[float(x) for key, x in row.items() if key != "seconds"] for row in rows]


@pytest.mark.parametrize(
    "launcher", [(), ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")]
)
def test_two_processes_measure_what_one_does(launcher, tmp_path):
    alone = train("vae", scale="smoke", to=tmp_path / "one", progress=False)
    words = ("vae", "--scale", "smoke", "--to", str(tmp_path / "two"))
    options = () if launcher else ("--processes", "2")
    done = run(command(*words, *options, launcher=launcher))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Measuring on the test part") == 1, "one of them speaks"
    pairs = zip(measures(tmp_path / "two"), measures(alone), strict=True)
    for one, other in pairs:
        assert one == pytest.approx(other, rel=ROUNDING)


def test_a_process_that_is_killed_ends_all_and_one_alone_goes_on(tmp_path):
    folder = tmp_path / "vae"
    line = [sys.executable, "-m", "tests.often", "train", "vae", "--steps", "600"]
    line += ["--to", str(folder), "--processes", "2"]
    env = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"}
    process = subprocess.Popen(
        line, env=env, cwd=ROOT, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    while not checkpoint.read(folder / "checkpoint.safetensors"):
        assert process.poll() is None
        time.sleep(0.1)
    workers = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]
    workers[-1].send_signal(signal.SIGKILL)
    said = process.communicate(timeout=120)[1]
    assert process.returncode not in (0, None)
    assert "got one that ended before" in said and "The same command goes on" in said
    assert not [one for one in workers if one.is_running() and one.status() != "zombie"]
    kept = checkpoint.read(folder / "checkpoint.safetensors")["step"]
    assert 0 < kept < 600
    train("vae", steps=600, to=folder, progress=False)
    assert len(measures(folder)) == 20 and (folder / "model.safetensors").exists()


def test_a_batch_that_cannot_be_shared_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="processes should divide the batch size"):
        train("vae", scale="smoke", to=tmp_path / "vae", processes=7)
    assert not (tmp_path / "vae").exists()
