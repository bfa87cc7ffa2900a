"""A course folder that comes as a zip file: unpacked with care, and gone when it was looked at."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from mailer.content.course_toml import COURSE_FILE
from mailer.content.media import CONTENT_TYPES, MEDIA_FOLDER
from mailer.errors import Refused

MOST_FILES = 2000
MOST_BYTES = 64 * 1024 * 1024
"""Unpacked: a small file may hold a very large one (a "zip bomb")."""
CHUNK = 64 * 1024
TEXTS = frozenset({".md", ".markdown", ".mjml"})


@contextmanager
def unpacked(content: bytes, name: str = "course") -> Iterator[Path]:
    """The course folder in a zip file, for as long as the block lasts.

    `course.toml` stands at its top, or in its only folder. Of the rest, the Markdown files beside it and the
    pictures below `media/` are taken; nothing is ever written outside. Raises Refused.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, OSError):
        raise Refused("This is not a zip file; send the course folder as one.") from None
    with archive, TemporaryDirectory(prefix="steadypost-") as home:
        folder = Path(home) / name
        folder.mkdir()
        left = MOST_BYTES
        for member, place in _wanted(archive):
            left -= _write(archive, member, folder / place, left)
        yield folder


def _wanted(archive: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """The members that belong to the course, with their places in its folder."""
    members = [one for one in archive.infolist() if not one.is_dir()]
    if len(members) > MOST_FILES:
        raise Refused(f"The zip file holds {len(members):,} files; a course has {MOST_FILES:,} at most.")
    paths = {one: PurePosixPath(one.filename) for one in members}
    tops = sorted(path.parent for path in paths.values() if path.name == COURSE_FILE and _is_plain(path))
    tops = [top for top in tops if len(top.parts) <= 1]
    if not tops:
        raise Refused(f"There is no {COURSE_FILE} in the zip file; pack the course folder itself.")
    if len(tops) > 1 and tops[0].parts:
        raise Refused("There are several courses in the zip file; send one at a time.")
    for member, path in paths.items():
        if _is_plain(path) and path.is_relative_to(tops[0]):
            place = path.relative_to(tops[0])
            if _belongs(place):
                yield member, place


def _is_plain(path: PurePosixPath) -> bool:
    """Whether a name leads nowhere but down. Backslashes and drives are names like others here."""
    return not path.is_absolute() and ".." not in path.parts and "\0" not in str(path)


def _belongs(place: PurePosixPath) -> bool:
    suffix = place.suffix.lower()
    if len(place.parts) == 1:
        return place.name == COURSE_FILE or suffix in TEXTS
    return place.parts[0] == MEDIA_FOLDER and suffix in CONTENT_TYPES


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, most: int) -> int:
    """Unpack one file as a plain one, whatever it says that it is; returns its bytes. Raises Refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    try:
        with archive.open(member) as source, path.open("wb") as target:
            while chunk := source.read(CHUNK):
                size += len(chunk)
                if size > most:
                    raise Refused(f"The course is larger than {MOST_BYTES // 1024**2} MB when unpacked.")
                target.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError):
        # RuntimeError: it has a password.
        raise Refused(f"{member.filename[:100]!r} cannot be unpacked; pack the folder anew.") from None
    return size
