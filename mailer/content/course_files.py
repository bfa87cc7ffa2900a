"""All files of a course folder as they are, to be kept with what was published of them and given back."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from mailer.content.course_source import Problem
from mailer.content.course_toml import COURSE_FILE
from mailer.content.course_zip import LONG_AGO, MOST_FILES, MOST_UNPACKED
from mailer.content.guide.memory import MEMORY_FILE


def course_files(folder: Path, problems: list[Problem]) -> dict[str, bytes]:
    """The bytes of every file by its path in the folder: texts, pictures, tests, and what else lies there.

    Hidden files are none of the course's, but for the memory of its guide; links out of the folder are left
    out, for they could lead to any file of the machine. Too much for a version to keep is a problem, and then
    nothing is read.
    """
    paths = []
    size = 0
    for path in _paths(folder):
        paths.append(path)
        size += path.stat().st_size
        if size > MOST_UNPACKED or len(paths) > MOST_FILES:
            most = f"{MOST_UNPACKED // 1_000_000} MB in {MOST_FILES:,} files"
            what = f"The course folder holds more than the {most} that are kept with each version."
            problems.append(Problem(COURSE_FILE, 1, what, "Move what its mails do not show out of it."))
            return {}
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(paths)}


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
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(place) / name
            is_ours = not name.startswith(".") or path == folder / MEMORY_FILE
            if is_ours and path.is_file() and path.resolve().is_relative_to(home):
                yield path
