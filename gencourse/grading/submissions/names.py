"""Names of files as people, browsers and platforms leave them: what is a copy, and whose it is."""

import re
import unicodedata
from pathlib import PurePosixPath

MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_[a-z]+(?:_(?P<file>.*))?$", re.S)
# numbers that Canvas gives do not begin with 0; the names of assignments may
CANVAS = re.compile(
    r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<id>[1-9]\d*)_(?P<submission>[1-9]\d*)_(?P<file>.+)$", re.S
)
CANVAS_FOLDER = re.compile(
    r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<id>[1-9]\d*)_(?P<submission>[1-9]\d+)$"
)
NOTEBOOK = re.compile(r"(?P<stem>.*?)\.(?:ipynb(?:\.(?:txt|json))?|json)$", re.I | re.S)
OTHER_KINDS = re.compile(
    r"(?P<stem>.*?)\.(?:ipynb\.)?(?:py|html?|pdf|md|zip|docx?|odt|txt)$", re.I | re.S
)
COPY_WORDS = "copy|kopie|copie|copia|cópia|kopia|kopi|másolat|копия|コピー|副本"
NUMBERED = re.compile(
    rf"[ _-]*(?:\(\d+\)|\[\d+\]|[-_ ]copy\d*"
    rf"|(?:[-_ ]+| \()(?:{COPY_WORDS})(?:[ _-]?\(?\d+\)?)?\)?)$",
    re.I,
)
BEFORE = re.compile(rf"^(?:(?:{COPY_WORDS}) (?:of|von|de|di|af|van|från|av)[ _-]+)", re.I)
BEFORE_INSIDE = re.compile(rf"[ _-]*(?:{COPY_WORDS}) (?:of|von|de|di|af|van|från|av)[ _-]*$", re.I)
HIDDEN = re.compile(
    r"\..*|__MACOSX|\$RECYCLE\.BIN|trash|lost\+found|__pycache__|thumbs\.db|desktop\.ini", re.I
)
BACKUP = re.compile(
    r"(?:.*[ ._-])?(?:back-?up|backups|bak|old|older|earlier|archive|archived|history|versions"
    r"|previous|orig|original|deleted|checkpoints?|tmp|temp)(?:[ ._-].*)?|_+history|-old|.*~",
    re.I,
)
OWN_FILES = {"my_checks.py", "my_probes.py"}


def nfc(text: str) -> str:
    """One spelling of letters with accents, whatever system wrote them."""
    return unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """A name as it is compared: one spelling, no capitals, single spaces."""
    return " ".join(nfc(text).casefold().split())


def unnumbered(stem: str) -> str:
    """The stem of a name without what browsers and desktops add to copies."""
    stem = BEFORE.sub("", stem[-255:])
    while (shorter := NUMBERED.sub("", stem)) != stem and shorter:
        stem = shorter
    return stem


def stem_of(name: str) -> str:
    """The name of a file without its ending, whatever the ending was made of."""
    found = NOTEBOOK.match(name) or OTHER_KINDS.match(name)
    return found["stem"] if found else PurePosixPath(name).stem


def is_notebook(name: str) -> bool:
    """Whether a file's name says that it is a notebook, perhaps under another system's ending."""
    return NOTEBOOK.match(name) is not None


def names_assignment(name: str, assignment: str) -> float:
    """How well the name of a file fits an assignment: 2 as it is, 1.5 a copy, 1 within it, 0."""
    platform = CANVAS.match(name) or MOODLE.match(name)
    stem = folded(stem_of((platform["file"] if platform else None) or name))
    wanted = folded(assignment)
    if stem == wanted:
        return 2.0
    if re.sub(r"-\d+$", "", unnumbered(stem)) == wanted:
        return 1.5
    return 1.0 if wanted in stem else 0.0


def without_assignment(stem: str, assignments: list[str]) -> str:
    """What is left of a name without the assignment's and the marks of copies; "" if nothing is."""
    stem = nfc(stem)[:255]
    for assignment in sorted(assignments, key=len, reverse=True):
        pattern = rf"[-_ .]*{re.escape(nfc(assignment))}(?P<copy>-\d+(?=$|[-_ ]))?[-_ .]*"
        found = re.search(pattern, stem, re.I)
        if found is None:
            continue
        before = BEFORE_INSIDE.sub("", stem[: found.start()])
        parts = [before, unnumbered(" " + stem[found.end() :]).strip() if found.end() else ""]
        if NUMBERED.fullmatch(" " + stem[found.end() :]) or NUMBERED.fullmatch(stem[found.end() :]):
            parts[1] = ""
        stem = " ".join(part.strip("-_ ") for part in parts if part.strip("-_ "))
        return unnumbered(stem) if stem else ""
    return unnumbered(stem)
