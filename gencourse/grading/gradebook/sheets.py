"""CSV sheets that other programs exported: read, a few cells replaced, everything else written back
as it was.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from gencourse.errors import InputError, describe
from gencourse.files import write_whole
from gencourse.grading.gradebook.book import Row

BOM = "\ufeff"
SEPARATOR = re.compile(r'"?sep=([^\r\n"])?"?[^\r\n]*(?:\r\n|\r|\n)', re.IGNORECASE)
NAME = "name"  # the last resort for telling who somebody is


class Sheet:
    """A CSV file whose cells keep the text that they had in the file, so that what is not set is
    written back unchanged.
    """

    def __init__(
        self, where: str, path: str | Path, headings: tuple[str, ...], row_of_headings: str
    ) -> None:
        self.where, self.path = where, Path(path)
        try:
            text = self.path.read_bytes().decode("utf-8")
        except OSError as error:
            raise InputError(
                f"{where}: sheet should be a file that can be read, got {self.path} "
                f"({error.strerror}). Look at the path."
            ) from None
        except UnicodeDecodeError:
            raise InputError(
                f"{where}: sheet should be UTF-8, got other bytes in {self.path}. Save it again "
                "as 'CSV UTF-8'."
            ) from None
        self.bom, text = text.startswith(BOM), text.removeprefix(BOM)
        said = SEPARATOR.match(text)  # a first line for Excel, which is kept
        self.before = said[0] if said else ""
        text = text.removeprefix(self.before)
        for self.delimiter in ((said and said[1]) or "") + ",;\t":
            self.cells, self.ends = _split(text, self.delimiter)
            self.heading = [self.value(0, column).strip() for column in range(len(self.cells[0]))]
            if set(headings) <= set(self.heading):
                return
        raise InputError(
            f"{where}: sheet should begin with a row that has {', '.join(headings)}, got "
            f"{describe(text[:60])}. {row_of_headings}"
        )

    def value(self, line: int, column: int | None) -> str:
        """The text of a cell, empty where there is none."""
        if column is None or column >= len(self.cells[line]):
            return ""
        raw = self.cells[line][column]
        return raw[1:-1].replace('""', '"') if len(raw) > 1 and raw[0] == raw[-1] == '"' else raw

    def set(self, line: int, column: int, text: str) -> None:
        """Put another text into a cell."""
        row = self.cells[line]
        row += [""] * (column + 1 - len(row))
        quoted = row[column].startswith('"') or re.search(
            rf'[{re.escape(self.delimiter)}"\r\n]', text
        )
        row[column] = '"' + text.replace('"', '""') + '"' if quoted else text

    def column(self, *names: str) -> int | None:
        """The first column with one of these headings, in any case."""
        return next(
            (
                i
                for name in names
                for i, heading in enumerate(self.heading)
                if heading.casefold() == name.casefold()
            ),
            None,
        )

    def reader(self, name: str) -> Callable[[int], str]:
        """The cells under a heading by line, empty where there are none."""
        column = self.column(name)
        return lambda line: self.value(line, column)

    def save(self, path: str | Path) -> None:
        """Write the sheet to another file."""
        path = Path(path)
        if path.resolve() == self.path.resolve() or (path.exists() and path.samefile(self.path)):
            raise InputError(
                f"{self.where}: path should be another file than the sheet, got {path}. Choose "
                "a new name."
            )
        text = self.before + "".join(
            self.delimiter.join(row) + end for row, end in zip(self.cells, self.ends, strict=True)
        )
        write_whole(path, BOM * self.bom + text)


def _split(text: str, delimiter: str) -> tuple[list[list[str]], list[str]]:
    """The raw cells of each line, and the line ends. Joined again they give the text, whatever it
    is.
    """
    rows: list[list[str]] = [[]]
    ends: list[str] = []
    for raw, end in re.findall(
        rf'("(?:[^"]|"")*+"|[^{re.escape(delimiter)}\r\n]*)({re.escape(delimiter)}|\r\n|\r|\n|\Z)',
        text,
    ):
        rows[-1].append(raw)
        if end != delimiter:
            ends.append(end)
            if not end:
                break
            rows.append([])
    return rows, ends


def folded(text: str) -> str:
    """A name or id as it is compared: without case, accents' spelling and punctuation, family name
    last.
    """
    family, comma, given = text.partition(",")
    text = f"{given} {family}" if comma else text
    return " ".join(
        re.findall(r"[\w.@+-]+", unicodedata.normalize("NFKC", text.replace("_", " ")).casefold())
    )


Keys = list[
    tuple[str, Callable[[int], str]]
]  # what a student is known by in the sheet, the surest first
Pairs = dict[int, tuple[Row, str]]  # for a line of the sheet its row, and by what it was recognised


def pair_up(rows: list[Row], lines: list[int], keys: Keys) -> Pairs:
    """Which row belongs into which line, and by which key. A pair is made only if it is the only
    one possible by that key.
    """
    found: Pairs = {}
    for key, value in keys:
        index = defaultdict(set)
        for line in set(lines) - set(found):
            index[folded(value(line))].add(line)
        paired = {row.student for row, _ in found.values()}
        claims = defaultdict(list)
        for row in rows:
            hits = set().union(
                *(
                    index.get(folded(name), ())
                    for name in (row.student_id, row.student)
                    if folded(name)
                )
            )
            if row.student not in paired and len(hits) == 1:
                claims[hits.pop()].append(row)
        found |= {
            line: (claimants[0], key) for line, claimants in claims.items() if len(claimants) == 1
        }
    return found
