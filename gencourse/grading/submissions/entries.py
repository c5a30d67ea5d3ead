"""The files below a folder or in a zip, whatever packed it. Nothing is unpacked to the disk."""

import contextlib
import io
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath

from gencourse.errors import InputError
from gencourse.grading.submissions.names import nfc
from gencourse.grading.submissions.reading import SIZE_LIMIT, Unreadable, read_file, too_large

FILES_LIMIT = 200_000
INNER_LIMIT = 2_000  # files in a zip that a student has handed in
UTF_8 = 0x800  # the flag of a zip that says that a name is UTF-8


@dataclass(frozen=True)
class Entry:
    """A file or folder, by its path inside what was handed in, and when it was changed."""

    path: PurePosixPath
    is_folder: bool
    read: Callable[[], bytes]  # raises Unreadable
    changed: float = 0.0

    def below(self, count: int) -> "Entry":
        """The entry without the first parts of its path."""
        return replace(self, path=PurePosixPath(*self.path.parts[count:]))


def entries_of(source: Path) -> list[Entry]:
    """All entries of a folder or a zip. Raises InputError where there is neither."""
    if source.is_dir():
        return list(of_folder(source))
    if zipfile.is_zipfile(source):
        return list(of_zip(source))
    what = "another kind of file" if source.exists() else "nothing"
    raise InputError(
        f"grade: submissions should be a folder or a zip, got {what} at {source}. Check the path."
    )


def of_folder(folder: Path) -> Iterator[Entry]:
    """All entries below a folder; links are not followed."""
    count = 0
    for place, folders, files in os.walk(folder, followlinks=False):
        inside = Path(place).relative_to(folder)
        folders.sort()
        for name, is_folder in [
            *((f, True) for f in folders),
            *((f, False) for f in sorted(files)),
        ]:
            path = Path(place) / name
            changed = 0.0
            with contextlib.suppress(OSError):
                changed = os.lstat(path).st_mtime
            shown = PurePosixPath(nfc((inside / name).as_posix()))
            odd = is_folder and path.suffix == ".ipynb"  # which is to get a reason
            yield Entry(shown, is_folder and not odd, partial(read_file, path), changed)
        count += len(files) + len(folders)
        if count > FILES_LIMIT:
            raise InputError(
                f"grade: submissions should hold at most {FILES_LIMIT:,} files, got more in "
                f"{folder}. Is it the right folder?"
            )


def of_zip(archive: Path) -> Iterator[Entry]:
    """All entries of a zip."""
    try:
        opened = zipfile.ZipFile(archive)  # stays open as long as its entries are read
        infos = opened.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(
            f"grade: submissions should be a whole zip, got a damaged one ({error}). Download it "
            "again."
        ) from error
    if len(infos) > FILES_LIMIT:
        raise InputError(
            f"grade: submissions should hold at most {FILES_LIMIT:,} files, got {len(infos):,}. Is "
            "it the right zip?"
        )
    yield from members(opened, infos)


def members(opened: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> Iterator[Entry]:
    """The members of a zip, whose names lead nowhere."""
    for info in infos:
        parts = PurePosixPath(member_name(info).replace("\\", "/")).parts
        path = PurePosixPath(*(part for part in parts if part not in ("/", "..")))
        if path.parts:
            read = partial(read_member, opened, info)
            yield Entry(path, info.is_dir(), read, changed_at(info))


def member_name(info: zipfile.ZipInfo) -> str:
    """The name of a member. Many programs write UTF-8 and do not say so."""
    name = info.filename
    if not info.flag_bits & UTF_8:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    extra, at = info.extra, 0
    while at + 4 <= len(extra):  # a field of Info-ZIP's with the name in Unicode
        kind, size = struct.unpack_from("<HH", extra, at)
        if kind == 0x7075 and size > 5:
            with contextlib.suppress(UnicodeError):
                name = extra[at + 9 : at + 4 + size].decode("utf-8")
        at += 4 + size
    return nfc(name)


def changed_at(info: zipfile.ZipInfo) -> float:
    """When a member was changed, by the clock of whoever packed it."""
    try:
        return datetime(*info.date_time).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def read_member(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The bytes of one file in a zip. Raises Unreadable."""
    if stat.S_ISLNK(info.external_attr >> 16):
        raise Unreadable("it is a link to another file")
    if info.file_size > SIZE_LIMIT:
        raise Unreadable(too_large(info.file_size))
    if info.flag_bits & 1:
        raise Unreadable("it is encrypted")
    try:
        with opened.open(info) as stream:
            return stream.read(SIZE_LIMIT + 1)
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        OSError,
        EOFError,
        RuntimeError,
        ValueError,
    ) as error:
        raise Unreadable(f"it cannot be unpacked ({str(error)[:80]})") from None


def with_inner_zips(entries: list[Entry]) -> list[Entry]:
    """The entries, and behind each zip that a student has packed what it holds."""
    found = []
    for entry in entries:
        found.append(entry)
        if entry.is_folder or entry.path.suffix.lower() != ".zip":
            continue
        try:
            opened = zipfile.ZipFile(io.BytesIO(entry.read()))
            infos = opened.infolist()[:INNER_LIMIT]
        except (Unreadable, zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
            continue
        found += [replace(one, path=entry.path / one.path) for one in members(opened, infos)]
    return found
