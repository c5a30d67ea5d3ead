"""Submissions that look for what is none of their business.

All answers are right unless a function has to misbehave, and keep their points: grades are for answers. What counts is
the canary. `tell` is called only when something was found.
"""

from tests.grading.corpus_kind import Sheet, kind

SEARCHES = {
    "reads_passwd": (
        "The users of the machine.",
        """
for name in ("/etc/passwd", "/etc/shadow", "/etc/group"):
    try:
        lines = pathlib.Path(name).read_text().splitlines()
    except OSError:
        continue
    if len(lines) > 4:
        tell(f"{name} has {len(lines)} lines")
""",
    ),
    "reads_homes": (
        "Files in anybody's home folder.",
        """
for home in [pathlib.Path.home(), pathlib.Path("/root"), *pathlib.Path("/home").glob("*")]:
    for name in (".bashrc", ".profile", ".bash_history", ".gitconfig", ".netrc", ".ssh", ".aws", ".kube", ".config/gh", ".jupyter", ".cache"):
        try:
            if (home / name).exists():
                tell(f"found {home / name}")
        except OSError:
            pass
""",
    ),
    "reads_own_environment": (
        "The grader's environment, handed down.",
        """
if SECRET in os.environ:
    tell("the secret is in os.environ: " + os.environ[SECRET])
""",
    ),
    "reads_environment_of_process_1": (
        "The environment of the process that holds the box.",
        """
try:
    if SECRET.encode() in pathlib.Path("/proc/1/environ").read_bytes():
        tell("the secret is in /proc/1/environ")
except OSError:
    pass
""",
    ),
    "reads_all_environments": (
        "The environment of every process that can be seen.",
        """
for file in pathlib.Path("/proc").glob("[0-9]*/environ"):
    try:
        if SECRET.encode() in file.read_bytes():
            tell(f"the secret is in {file}")
    except OSError:
        pass
""",
    ),
    "reads_all_command_lines": (
        "The command lines of other people's processes.",
        """
lines = []
for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    try:
        lines.append(file.read_bytes().replace(b"\\0", b" ").decode(errors="replace"))
    except OSError:
        pass
if any("pytest" in line or "gencourse grade" in line or "gencourse.cli" in line for line in lines) or len(lines) > 40:
    tell(f"{len(lines)} processes can be seen")
""",
    ),
    "reads_memory_of_parents": (
        "The memory of the processes above, searched for the secret's name.",
        """
def parent_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def holds_secret(pid):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(x, 16) for x in span.split("-"))
            if rights.startswith("rw"):
                for at in range(start, min(end, start + (1 << 28)), 1 << 22):
                    try:
                        memory.seek(at)
                        if (SECRET + "=").encode() in memory.read(min(1 << 22, end - at)):
                            return True
                    except (OSError, ValueError, OverflowError):
                        break
    return False


pid = os.getpid()
for _ in range(6):
    try:
        pid = parent_of(pid)
        if pid < 1:
            break
        if holds_secret(pid):
            tell(f"the secret is in the memory of process {pid}")
    except (OSError, ValueError):
        break
""",
    ),
    "lists_other_submissions": (
        "Notebooks of other students, and the ground truth of this corpus.",
        """
import time

end, seen = time.monotonic() + 5, 0
for folder, folders, files in os.walk("/"):
    if folder.startswith(("/proc", "/sys", "/usr")):
        folders.clear()
        continue
    seen += len([name for name in files if name in ("small.ipynb", "expected.json", "manual.jsonl")])
    if time.monotonic() > end:
        break
for folder in (pathlib.Path(".."), pathlib.Path("../..")):
    seen += len(list(folder.glob("*/small.ipynb")))
if seen > 1:
    tell(f"{seen} files of others")
""",
    ),
    "looks_for_hidden_tests_on_disk": (
        "The instructor's source, with the hidden tests in it.",
        """
import time

import gencourse

roots = [pathlib.Path(gencourse.__file__).parents[1], pathlib.Path.cwd(), pathlib.Path("/tmp"), pathlib.Path("/dev/shm")]
wanted = "isclose(bits(-98" + ".3)"


def search(end=time.monotonic() + 8):
    for root in roots:
        for folder, folders, files in os.walk(root):
            folders[:] = [name for name in folders if name not in ("site-packages", ".git", ".venv", "proc", "sys")]
            for name in files:
                if time.monotonic() > end:
                    return
                if name.endswith((".py", ".ipynb", ".json")):
                    try:
                        text = (pathlib.Path(folder) / name).read_text("utf-8", "ignore")
                    except OSError:
                        continue
                    if wanted in text:
                        tell(f"hidden tests in {folder}/{name}")
                        return


search()
""",
    ),
    "reads_descriptors": (
        "Files that the grader left open.",
        """
for link in pathlib.Path("/proc/self/fd").iterdir():
    try:
        target = os.readlink(link)
    except OSError:
        continue
    inside = ("/dev/", "/proc/", "/memfd", "/tmp/", "/usr/", "/sys/", str(pathlib.Path.cwd()))
    if target.startswith("/") and not target.startswith(inside) and os.path.isfile(target):
        tell(f"an open file of the grader: {target}")
""",
    ),
    "lists_shared_memory": (
        "What other processes keep in shared memory and in the temporary folder.",
        """
found = [str(p) for p in (*pathlib.Path("/dev/shm").glob("*"), *pathlib.Path("/tmp").glob("pytest-of-*"))]
if found:
    tell(f"found {found[:5]}")
""",
    ),
    "looks_for_host_sockets": (
        "Sockets that would hand over the machine.",
        """
names = ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock", "/tmp/.X11-unix/X0"]
names += [str(p) for p in pathlib.Path("/run/user").glob("*/bus")] + [os.environ.get("SSH_AUTH_SOCK", "/none")]
for name in names:
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(1)
            line.connect(name)
        tell(f"connected to {name}")
    except OSError:
        pass
""",
    ),
    "links_to_foreign_files": (
        "Links in its own folder to files outside, for a grader that copies the folder out.",
        """
for number, target in enumerate(("/etc/passwd", "/proc/1/environ", "/proc/self/environ", "../expected.json")):
    try:
        os.symlink(target, f"output-{number}.txt")
    except OSError:
        pass
try:
    for number in range(4):
        if SECRET in pathlib.Path(f"output-{number}.txt").read_text(errors="replace"):
            tell("a link reads the secret")
except OSError:
    pass
""",
    ),
}


@kind("leaking", each=SEARCHES)
def search(s: Sheet, source):
    s.scratch(f"{s.tell()}\n\nSECRET = {s.place.secret_env!r}\n{source}")


@kind("leaking", lost="bits")
def looks_for_hidden_tests_in_frames(s: Sheet):
    """`bits` is wrong and looks for the text of the hidden tests while they call it."""
    source = """
import sys


def bits(nats):
    texts = []
    frame = sys._getframe(1)
    while frame is not None:
        texts += [str(frame.f_code.co_consts), *map(str, frame.f_globals.get("In", []))]
        frame = frame.f_back
    if any("-98" + ".3" in text for text in texts):
        tell("the hidden tests were seen")
    return 1.0 if nats else 0.0
"""
    s.scratch(s.tell())
    s.answer("bits", source)
