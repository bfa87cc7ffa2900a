"""All files of a course folder as they are, to be kept with what was published of them and given back."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from mailer.content.course_source import Problem
from mailer.content.course_toml import COURSE_FILE
from mailer.content.course_zip import LONG_AGO, MOST_FILES, MOST_UNPACKED, belongs, is_too_long
from mailer.content.guide.memory import MEMORY_FILE


def course_files(folder: Path, problems: list[Problem]) -> dict[str, bytes]:
    """The bytes of every file by its path in the folder: texts, pictures, tests, and what else lies there.

    Hidden files are none of the course's, but for the memory of its guide; links out of the folder are left
    out, for they could lead to any file of the machine. What cannot be kept is a problem; more than a version
    keeps is one too, and then nothing is read.
    """
    found: dict[str, bytes] = {}
    room = MOST_UNPACKED
    for path in _paths(folder):
        room -= path.stat().st_size
        if room < 0 or len(found) == MOST_FILES:
            most = f"{MOST_UNPACKED // 1_000_000} MB in {MOST_FILES:,} files"
            what = f"The course folder holds more than the {most} that are kept with each version."
            problems.append(Problem(COURSE_FILE, 1, what, "Move what its mails do not show out of it."))
            return {}
        name = path.relative_to(folder).as_posix()
        place = PurePosixPath(name)
        if belongs(place) and is_too_long(place, path.stat().st_size):
            what = "The file is larger than 1 MB, too long for a course's text."
            problems.append(Problem(name, 1, what, "Shorten it: a mail of a tenth of that would be cut off."))
            continue
        try:
            name.encode()
            found[name] = path.read_bytes()
        except UnicodeEncodeError:
            what = "A file of the course folder has a name that is not UTF-8."
            problems.append(Problem(ascii(name), 1, what, "Rename it."))
        except OSError as error:
            what = f"The file cannot be read ({error.strerror}), so that no version could keep it."
            problems.append(Problem(name, 1, what, "Make it readable, or move it out of the folder."))
    return found


def files_digest(files: Mapping[str, bytes]) -> str:
    """A fingerprint of files, names and bytes, however they are packed."""
    found = hashlib.sha256()
    for name, content in sorted(files.items()):
        found.update(f"{name}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def pack(name: str, files: Mapping[str, bytes]) -> bytes:
    """The zip of these files, all below a folder called `name`."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(files.items()):
            info = zipfile.ZipInfo(f"{name}/{path}", LONG_AGO)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return packed.getvalue()


def packed_files(packed: bytes) -> dict[str, bytes]:
    """The files that `pack` packed. For what others have packed there is `course_zip.unpack`."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {entry.filename.partition("/")[2]: archive.read(entry) for entry in archive.infolist()}


def _paths(folder: Path) -> Iterator[Path]:
    home = folder.resolve()

    def is_inside(path: Path) -> bool:
        return not path.name.startswith(".") and path.resolve().is_relative_to(home)

    for place, folders, names in os.walk(folder, followlinks=True):
        below = [Path(place, name) for name in sorted(folders)]
        # A link to a folder that it lies in would never end.
        folders[:] = [
            path.name
            for path in below
            if is_inside(path) and not path.parent.resolve().is_relative_to(path.resolve())
        ]
        for path in (Path(place, name) for name in sorted(names)):
            if (is_inside(path) or path == folder / MEMORY_FILE) and path.is_file():
                yield path
