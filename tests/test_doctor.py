"""`gencourse doctor`: a sentence and a command for each thing that is off; faults are simulated."""

import re
import shlex
import types
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import gencourse
from gencourse import cli, doctor
from gencourse.doctor import finding, install, machine
from gencourse.grading.sandbox.backends import Sandbox

LINUX, WINDOWS, MAC = "linux", "win32", "darwin"


def pretended(cuda="12.6", hip=None, available=True, capability=(8, 6), architectures=("sm_80",)):
    """As much of torch as is looked at, on another machine."""
    card = types.SimpleNamespace(
        is_available=lambda: available,
        get_device_name=lambda device: "A card",
        get_device_capability=lambda device: capability,
        get_arch_list=lambda: list(architectures),
    )
    built = types.SimpleNamespace(cuda=cuda, hip=hip)
    return types.SimpleNamespace(__version__="2.15.0", cuda=card, version=built)


def on(kind: str, monkeypatch) -> None:
    monkeypatch.setattr("gencourse.runtime.pick_device", lambda: torch.device(kind))


def test_this_machine_is_examined_and_nothing_raises(monkeypatch):
    monkeypatch.setattr(
        "gencourse.grading.sandbox.choose.choose", lambda kind: Sandbox("bubblewrap")
    )
    found = list(doctor.examine())
    about = [one.about for one in found]
    assert {
        "python",
        "course",
        "edition",
        "packages",
        "torch",
        "torchvision",
        "device",
        "data",
    } <= set(about)
    assert {"memory", "threads", "sandbox"} <= set(about)
    assert all(one.said for one in found)
    assert all(one.command for one in found if one.state == "off")


@pytest.mark.parametrize(
    ("version", "system", "place", "state"),
    [
        ((3, 13, 0), WINDOWS, r"C:\Users\Ángel", "ok"),
        ((3, 12, 4), WINDOWS, r"C:\Users\Ángel", "ok"),
        ((3, 12, 3), WINDOWS, r"C:\Users\Ángel", "off"),
        ((3, 11, 9), WINDOWS, r"C:\Users\Łukasz", "off"),
        ((3, 11, 9), WINDOWS, r"C:\Users\Ada", "ok"),
        ((3, 11, 9), LINUX, "/home/Ángel", "ok"),
        ((3, 10, 12), LINUX, "/usr", "off"),
    ],
)
def test_python(version, system, place, state):
    found = install.python(version, system, place)
    assert found.state == state and (state == "ok") == (found.command == "")
    assert state == "ok" or found.command == "uv python pin 3.13"


def test_another_copy_of_the_course_is_noticed(tmp_path):
    for folder in ("gencourse", "exercises", "notebooks"):
        (tmp_path / folder).mkdir()
    found = install.where(Path("/elsewhere"), here=tmp_path / "notebooks")
    assert found.state == "off" and str(tmp_path) in found.said and found.command
    assert install.where(tmp_path, here=tmp_path / "notebooks").state == "ok"
    assert install.where(tmp_path, here=tmp_path.parent).state == "ok"


def test_notebooks_of_another_edition_are_noticed(tmp_path):
    (tmp_path / "exercises").mkdir()
    ours = finding.CLONE / "exercises" / "01_vae.ipynb"
    assert install.edition_of(ours) == gencourse.__version__
    for other, word, command in (
        ("0.1.0", "newer", "start"),
        ("9.0.0", "older", finding.repair()),
    ):
        text = ours.read_text("utf-8").replace(gencourse.__version__, other)
        (tmp_path / "exercises" / "01_vae.ipynb").write_text(text, "utf-8")
        found = install.edition(tmp_path)
        assert (found.state, other in found.said, word in found.said) == ("off", True, True)
        assert command in found.command
    (tmp_path / "exercises" / "01_vae.ipynb").write_bytes(b"\xff")
    assert install.edition(tmp_path).state == install.edition(finding.CLONE).state == "ok"


def test_edition_is_the_packages():
    assert gencourse.__version__ in install.edition().said


def test_versions_below_a_bound_and_packages_that_are_missing():
    wanted = ["numpy>=1.26", "rich>=13", "ipywidgets>=8"]
    has = {"numpy": "2.4.6", "ipywidgets": "7.7.1"}.get
    first, second, last = install.versions(wanted, has)
    assert first.state == second.state == "off" and "rich is not installed" in first.said
    assert (
        "ipywidgets should be >=8, got 7.7.1" in second.said and second.command == finding.repair()
    )
    assert last.said == "as pyproject.toml asks: numpy 2.4.6."


def test_no_installation_at_all():
    (found,) = install.versions([], {}.get)
    assert found.state == "off" and "not installed in this Python" in found.said


def test_requirements_are_the_projects():
    names = {re.match(r"[\w-]+", text)[0] for text in install.requirements()}
    assert {"torch", "numpy", "typer", "jupyterlab"} <= names and "pytest" not in names


def test_repair_is_the_way_in_which_the_course_was_installed(tmp_path):
    assert finding.repair(str(tmp_path / ".venv"), tmp_path).startswith("uv sync")
    assert '-m pip install --upgrade -e ".[lab]"' in finding.repair("/usr", tmp_path)


@pytest.mark.parametrize(
    ("failure", "system", "command"),
    [
        ("[WinError 126] The specified module could not be found", WINDOWS, "VCRedist"),
        ("No module named 'torch'", WINDOWS, "install"),
        ("libcudnn.so.9: cannot open shared object file", LINUX, "install"),
    ],
)
def test_pytorch_that_cannot_be_imported(failure, system, command):
    found = machine.pytorch(None, failure, system)
    assert found.state == "off" and failure in found.said
    assert command in found.command or found.command.startswith("uv sync")


@pytest.mark.parametrize(
    ("cuda", "hip", "said"),
    [("12.6", None, "CUDA 12.6"), (None, "6.4", "ROCm 6.4"), (None, None, "the CPU alone")],
)
def test_what_pytorch_is_built_for(cuda, hip, said):
    assert said in machine.pytorch(pretended(cuda=cuda, hip=hip), "").said


def test_torchvision_that_does_not_fit():
    found = machine.torchvision("2.13.0", None, "operator torchvision::nms does not exist")
    assert found.state == "off" and "torch 2.13.0" in found.said and found.command


def test_package_whose_import_fails_is_none_and_a_reason(tmp_path, monkeypatch):
    (tmp_path / "broken_pair.py").write_text(
        "raise RuntimeError('operator nms does not exist')", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert machine.loaded("broken_pair") == (None, "operator nms does not exist")
    assert machine.loaded("never_installed")[0] is None


@pytest.mark.parametrize(
    ("capability", "architectures", "fits"),
    [
        ((8, 6), ["sm_80", "sm_90"], True),  # the same generation, an older member
        ((8, 6), ["sm_86"], True),
        ((8, 0), ["sm_86"], False),  # a newer member
        ((6, 1), ["sm_75", "sm_80", "sm_90"], False),  # Pascal
        ((12, 0), ["sm_90", "compute_90"], True),  # as PTX
        ((12, 0), ["sm_90"], False),
        ((10, 0), ["sm_100", "sm_120"], True),
    ],
)
def test_kernels_for_a_generation(capability, architectures, fits):
    assert machine.has_kernels(capability, architectures) is fits


def test_gpu_that_works(monkeypatch):
    on("cuda", monkeypatch)
    assert machine.device(pretended(), LINUX, nvidia=True).state == "ok"


def test_gpu_without_kernels_in_the_wheel(monkeypatch):
    on("cuda", monkeypatch)
    found = machine.device(pretended(capability=(6, 1)), LINUX, nvidia=True)
    assert found.state == "off" and "6.1" in found.said and "GENCOURSE_DEVICE=cpu" in found.said


def test_gpu_beside_a_cpu_build(monkeypatch):
    on("cpu", monkeypatch)
    found = machine.device(pretended(cuda=None, available=False), WINDOWS, nvidia=True)
    assert found.state == "note" and "--torch-backend=auto" in found.command


def test_driver_that_is_too_old(monkeypatch):
    on("cpu", monkeypatch)
    found = machine.device(pretended(available=False), LINUX, nvidia=True)
    assert found.state == "off" and "driver" in found.said


def test_mac_is_told_of_mps_and_a_wrong_wish_is_a_sentence(monkeypatch):
    on("cpu", monkeypatch)
    assert "GENCOURSE_DEVICE=mps" in machine.device(pretended(cuda=None), MAC).said
    monkeypatch.undo()
    monkeypatch.setenv("GENCOURSE_DEVICE", "tpu")
    found = machine.device(torch, WINDOWS)
    assert found.state == "off" and found.command.startswith("set GENCOURSE_DEVICE=")
    assert machine.device(torch, LINUX).command == "unset GENCOURSE_DEVICE"


def test_threads_and_memory():
    assert machine.threads(1, 8).state == "note" and machine.threads(4, 8).state == "ok"
    assert machine.threads(1, 1).state == "ok"
    gib = machine.GIB
    assert machine.memory((gib, 8 * gib)).state == "off"
    assert machine.memory((3 * gib, 8 * gib)).state == "ok"
    assert machine.memory(None).state == "note"


def test_data_that_do_not_lie_beside_their_datasheets(tmp_path):
    assert install.data().state == "ok" and install.data(tmp_path).state == "off"
    (tmp_path / "mnist.md").write_text("a datasheet", encoding="utf-8")
    (tmp_path / "mnist.npz").write_bytes(b"")
    assert "mnist" in install.data(tmp_path).said and install.data(tmp_path).state == "off"
    (tmp_path / "mnist.npz").write_bytes(b"data")
    assert install.data(tmp_path).state == "ok"


def test_folder_for_data_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    found = install.folder_for_data(tmp_path / "file" / "gencourse")
    assert found.state == "off"
    other = Path(found.command.split("GENCOURSE_DATA=")[1].split("   ")[0])
    assert install.folder_for_data(other).state == "ok", "the command leads to a folder that works"
    assert install.folder_for_data(tmp_path / "new" / "gencourse").state == "ok"


@pytest.mark.parametrize("value", ["/tmp/data", "/home/O'Brien/my $data"])
def test_the_command_gives_the_variable_its_value(value):
    assert finding.assign("X", value, "win32").startswith(f"set X={value}  ")
    assert f'$env:X = "{value}"' in finding.assign("X", value, "win32")
    assert shlex.split(finding.assign("X", value, "linux")) == ["export", f"X={value}"]


def test_sandbox_is_a_note_where_there_is_none(monkeypatch):
    from gencourse.grading.sandbox import choose as sandbox

    def none(kind):
        raise sandbox.SandboxUnavailable("grade: no sandbox here")

    monkeypatch.setattr(sandbox, "choose", none)
    found = install.sandbox()
    assert found.state == "note" and "no sandbox here" in found.said


# the command


def run(*words: str):
    return CliRunner().invoke(cli.app, list(words))


def test_the_command_shows_each_line_and_its_status_says_whether_anything_is_off(monkeypatch):
    well = [finding.ok("data", "there [1]."), finding.note("threads", "1 for 8 cores.", "unset X")]
    monkeypatch.setattr(doctor, "examine", lambda: iter(well))
    done = run("doctor")
    assert done.exit_code == 0 and "there [1]." in done.output and "unset X" in done.output
    off = finding.off("torch", "not there.", 'python -m pip install -e ".[lab]"')
    monkeypatch.setattr(doctor, "examine", lambda: iter([*well, off]))
    done = run("doctor")
    assert done.exit_code == 1 and 'install -e ".[lab]"' in done.output and done.output.isascii()


def test_version():
    done = run("--version")
    assert done.exit_code == 0 and done.output.strip() == f"gencourse {gencourse.__version__}"
