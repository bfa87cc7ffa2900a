"""A course folder as one zip file, to carry it between the desk, git and other machines; nothing is lost."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from mailer.content.course_folder import COURSE_FILE, STEP_SUFFIXES
from mailer.content.guide.memory import MEMORY_FILE
from mailer.content.media import CONTENT_TYPES, MEDIA_FOLDER, pixel_width
from mailer.errors import Refused

MOST_UNPACKED = 50_000_000
MOST_FILES = 1000
MOST_PACKED = MOST_UNPACKED + 1000 * MOST_FILES
"""Bytes of an uploaded zip: of files that cannot be packed smaller, with what it says of each of them."""
MOST_TEXT = 1_000_000
"""Bytes of one text file: a mail of a tenth of it would be cut off by Gmail."""
TESTS_FOLDER = "tests"
TEST_SUFFIXES = frozenset({".csv", ".json"})
"""What is expected of a course lies beside it (`steadypost course test`)."""
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The time that every file in a zip bears, so that the same course is the same bytes."""


@dataclass(frozen=True)
class Unpacked:
    """The files of a course folder by their paths in it, and the names of what was left out."""

    files: dict[str, bytes]
    left_out: tuple[str, ...]


@contextmanager
def unpacked(content: bytes, name: str = "course") -> Iterator[Path]:
    """The course folder in a zip on the disk, for as long as the block lasts; raises Refused as `unpack`."""
    files = unpack(content).files
    with TemporaryDirectory(prefix="steadypost-") as home:
        folder = Path(home) / name
        for place, bytes_ in files.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_bytes(bytes_)
        yield folder


def unpack(content: bytes) -> Unpacked:
    """The course folder in a zip, looked at before anything of it is written.

    What does not belong to a course (README files of a system, hidden files) is left out and named.
    Raises Refused for what is no course, or no honest zip.
    """
    return unpack_files(content, _root, belongs)


def unpack_files(
    content: bytes,
    root_of: Callable[[list[PurePosixPath]], PurePosixPath],
    belongs: Callable[[PurePosixPath], bool],
) -> Unpacked:
    """The texts and pictures of a zip below the folder that `root_of` finds, as far as one `belongs`.

    Raises Refused for what is no honest zip, or too large, and as `root_of` does.
    """
    if len(content) > MOST_PACKED:
        raise Refused(f"The zip is larger than {MOST_PACKED // 1_000_000} MB; make its pictures smaller.")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, ValueError, OSError):
        raise Refused("This is not a zip file; pack the folder as one.") from None
    if len(entries) > MOST_FILES:
        raise Refused(f"The zip holds more than {MOST_FILES:,} files; pack its folder alone.")
    paths = {entry: _path(entry) for entry in entries}
    root = root_of(list(paths.values()))
    files: dict[str, bytes] = {}
    left_out: list[str] = []
    room = MOST_UNPACKED
    for entry, path in paths.items():
        if not path.is_relative_to(root) or not belongs(name := path.relative_to(root)):
            left_out.append(str(path))
            continue
        if str(name) in files:
            raise Refused(f"The zip holds {name} twice; pack the folder again.")
        files[str(name)] = _read(archive, entry, name, room)
        room -= len(files[str(name)])
        _refuse_unfit(name, files[str(name)])
    return Unpacked(files, tuple(left_out))


def _path(entry: zipfile.ZipInfo) -> PurePosixPath:
    """Where an entry belongs; raises Refused for one that leads out of the folder, or is no plain file."""
    name = entry.filename
    path = PurePosixPath(name)
    is_odd = "\\" in name or "\0" in name or ":" in name or not name.isprintable() or len(name) > 300
    if is_odd or path.is_absolute() or ".." in path.parts or not path.parts:
        raise Refused(f"The zip holds a file named {name[:80]!r}, which cannot be in such a folder.")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise Refused(f"{name[:80]} in the zip is a link or a device; put the file itself there.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # The others unpack without a bound, however few bytes are asked for.
        raise Refused(f"{name[:80]} is packed in an unusual way; pack the folder as a plain zip.")
    if entry.flag_bits & 1:
        raise Refused(f"{name[:80]} in the zip has a password; pack the folder without one.")
    return path


def _root(paths: list[PurePosixPath]) -> PurePosixPath:
    """The folder of the zip that course.toml is in."""
    found = sorted(path.parent for path in paths if path.name == COURSE_FILE and "__MACOSX" not in path.parts)
    if not found:
        raise Refused(f"The zip has no {COURSE_FILE}, so it is no course folder.")
    if len(found) > 1:
        raise Refused(f"The zip has {len(found)} files {COURSE_FILE}; pack one course alone.")
    return found[0]


def belongs(name: PurePosixPath) -> bool:
    """Whether a course folder has use for a file of this name."""
    if str(name) in (COURSE_FILE, MEMORY_FILE):
        return True
    if any(part.startswith(".") for part in name.parts):
        return False
    if len(name.parts) == 1:
        return name.suffix.lower() in STEP_SUFFIXES
    if name.parts[0] == TESTS_FOLDER:
        return len(name.parts) == 2 and name.suffix.lower() in TEST_SUFFIXES
    return name.parts[0] == MEDIA_FOLDER and name.suffix.lower() in CONTENT_TYPES


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: PurePosixPath, room: int) -> bytes:
    """The bytes of an entry, never more than `room` of them whatever the zip says of itself."""
    try:
        with archive.open(entry) as file:
            content = file.read(room + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, zlib.error):
        raise Refused(f"{name} in the zip is damaged; pack the folder again.") from None
    if len(content) > room:
        raise Refused(f"Unpacked, the zip is larger than {MOST_UNPACKED // 1_000_000} MB; make it smaller.")
    return content


def is_too_long(name: PurePosixPath, size: int) -> bool:
    """Whether a file of a course is a text of more bytes than one may have."""
    return name.parts[0] != MEDIA_FOLDER and size > MOST_TEXT


def _refuse_unfit(name: PurePosixPath, content: bytes) -> None:
    if name.parts[0] == MEDIA_FOLDER and pixel_width(content) is None:
        raise Refused(f"{name} is no PNG, JPEG or GIF picture, whatever its name says.")
    if is_too_long(name, len(content)):
        raise Refused(f"{name} is larger than {MOST_TEXT // 1_000_000} MB, too long for a course's text.")
