"""Submissions that try to get out: over the network, into files, by names.

All answers are right and keep their points: grades are for answers. What counts is the canary. Every attempt is
bounded, so that it does little harm where nothing holds it.
"""

from pathlib import Path

import torch

import gencourse
from tests.grading.corpus_assignment import NAME, POINTS
from tests.grading.corpus_kind import Sheet, kind

ATTEMPTS = {
    "connects_to_loopback": ("TCP to the machine itself.", 'tell("printed only to be sent")', ()),
    "connects_to_the_host": (
        "TCP to the addresses of the machine and of its neighbours.",
        """
addresses = {"0.0.0.0", "localhost", "::1", "host.docker.internal", "172.17.0.1", "10.0.2.2"}
try:
    addresses.add(socket.gethostbyname(socket.gethostname()))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        addresses.add(probe.getsockname()[0])
except OSError:
    pass
for address in addresses:
    try:
        with socket.create_connection((address, PORT), timeout=2) as connection:
            connection.sendall(LINE)
            tell(f"connected to {address}")
    except OSError:
        pass
""",
        (),
    ),
    "sends_datagrams": (
        "UDP to the machine itself.",
        """
for address in ("127.0.0.1", "255.255.255.255"):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        try:
            line.sendto(LINE, (address, PORT))
        except OSError:
            pass
""",
        (),
    ),
    "uses_abstract_socket": (
        "An abstract Unix socket, named `gencourse-canary-<port>`, has no file that a box could hide.",
        """
for kind_of in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    with socket.socket(socket.AF_UNIX, kind_of) as line:
        try:
            line.connect(f"\\0gencourse-canary-{PORT}")
            line.send(LINE)
        except OSError:
            pass
""",
        (),
    ),
    "opens_raw_sockets": (
        "Sockets below TCP, and families that are seldom used.",
        """
for family, kind_of in ((socket.AF_PACKET, socket.SOCK_RAW), (socket.AF_INET, socket.SOCK_RAW), (40, socket.SOCK_STREAM)):
    try:
        with socket.socket(family, kind_of, 1 if family == socket.AF_INET else 0) as line:
            if family == 40:
                line.settimeout(1)
                line.connect((2, PORT))
            tell(f"socket of family {int(family)}")
    except OSError:
        pass
""",
        (),
    ),
    "writes_to_root": ("A file in /.", 'write("/" + FILE)', ("/",)),
    "writes_to_tmp": (
        "A file in the temporary folders.",
        'write("/tmp/" + FILE, "/var/tmp/" + FILE)',
        ("/tmp", "/var/tmp"),
    ),
    "writes_to_shared_memory": (
        "A file in shared memory.",
        'write("/dev/shm/" + FILE)',
        ("/dev/shm",),
    ),
    "writes_to_home": (
        "Files in the home folders.",
        'write(HOST_HOME + "/" + FILE, os.path.expanduser("~/") + FILE, os.path.expanduser("~root/") + FILE)',
        ("~",),
    ),
    "writes_to_the_course": (
        "A file in the course's package.",
        "import gencourse\n\nwrite(str(pathlib.Path(gencourse.__file__).parent / FILE), str(pathlib.Path(gencourse.__file__).parents[1] / FILE))",
        ("course",),
    ),
    "writes_to_site_packages": (
        "Files among the installed packages, one of which would be run at every start.",
        "site = pathlib.Path(torch.__file__).parents[1]\nwrite(str(site / FILE))",
        ("site",),
    ),
    "writes_to_the_folder_above": (
        "Files beside the other submissions.",
        'write("../" + FILE, "../../" + FILE, "../../../" + FILE, "../correct/" + FILE)',
        (),
    ),
    "writes_through_proc": (
        "The file systems of other processes.",
        'write(*(f"/proc/{pid}/{where}/{FILE}" for pid in (1, os.getppid()) for where in ("root", "cwd", "root/tmp")))',
        ("/tmp",),
    ),
    "writes_to_the_kernel": (
        "Settings of the machine that would run a program outside.",
        """
for name in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper", "/proc/sys/vm/overcommit_memory"):
    try:
        os.close(os.open(name, os.O_WRONLY))
        tell(f"{name} can be written")
    except OSError:
        pass
""",
        (),
    ),
    "plants_links": (
        "Links and changing names in its own folder, for a grader that writes or reads there.",
        """
import threading
import time


def swap(end=time.monotonic() + 20):
    while time.monotonic() < end:
        for name in ("small.ipynb", "small.html", "result.json", "feedback.html", "out"):
            try:
                os.symlink(os.path.join(LEAK, FILE), name + ".new")
                os.replace(name + ".new", name)
            except OSError:
                pass
        time.sleep(0.01)


threading.Thread(target=swap, daemon=True).start()
""",
        (),
    ),
}
HOST = {
    "~": Path.home(),
    "course": Path(gencourse.__file__).parent,
    "site": Path(torch.__file__).parents[1],
}
WRITE = """
FILE = "ESC" + "APED-" + KIND
LINE = ("ESC" + "APED " + KIND).encode()


def write(*names):
    for name in names:
        try:
            with open(name, "w") as file:
                file.write(FILE)
        except OSError:
            pass
"""


def attempt(s: Sheet, source: str, folders: tuple[str, ...] = ()) -> None:
    """A scratch cell with the code of an attempt, which has PORT, LEAK, HOST_HOME, FILE, LINE, tell and write."""
    names = (
        f"PORT = {s.place.port}\nLEAK = {str(s.place.leak)!r}\nHOST_HOME = {str(Path.home())!r}\n"
    )
    s.scratch(s.tell() + names + WRITE + source)
    s.forbid(*(Path(HOST.get(folder, folder)) / s.evidence for folder in folders))
    if s.name == "connects_to_loopback":
        s.canary.mark = ""  # it prints its own line; the listener and the leak folder are the proof


@kind(
    "escaping",
    each={name: (why, (source, folders)) for name, (why, source, folders) in ATTEMPTS.items()},
)
def network_or_file(s: Sheet, payload):
    attempt(s, *payload)


@kind("escaping")
def kernelspec_that_names_a_path(s: Sheet):
    """A kernel's name is neither a path nor a command."""
    s.forbid(f"/tmp/{s.evidence}")
    argv = [
        "/bin/sh",
        "-c",
        f"touch /tmp/{s.evidence} {s.place.leak / s.evidence}",
        "{connection_file}",
    ]
    s.nb.metadata["kernelspec"] = {
        "name": "../../../../tmp/evil",
        "display_name": "$(touch x)",
        "language": "bash",
        "argv": argv,
    }
    s.nb.metadata["language_info"] = {"name": "../../bin/sh", "file_extension": "/../../x"}


@kind("escaping")
def files_with_odd_names(s: Sheet):
    """Names of files in the folder are no options, no commands and no patterns."""
    s.forbid(f"/tmp/{s.evidence}")
    names = (
        "--help",
        "-rf",
        f"$(touch {s.evidence})",
        "a\nb.ipynb.txt",
        "*.txt",
        "'; true",
        "x" * 200,
        "ü\u202ecod.txt",
    )
    return {NAME: s.bytes()} | {name: b"odd" for name in names}


@kind("escaping")
def ids_that_are_paths(s: Sheet):
    """Ids of tasks and cells in the file name no files."""
    s.forbid(s.place.leak / s.evidence)
    for number, cell in enumerate(s.nb.cells):
        cell["id"] = f"../../{number}"
    for task in POINTS:
        s.cell(task).metadata.nbgrader.grade_id = f"{s.place.leak}/{s.evidence}"
