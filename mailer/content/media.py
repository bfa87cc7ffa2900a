"""The pictures of a course folder, named after their bytes, so that a published one never changes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MEDIA_FOLDER = "media"
CONTENT_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif"}
"""What mail programs show everywhere: no SVG, no WebP."""


@dataclass(frozen=True)
class MediaFile:
    """One picture; published as /media/<name>. `source` is how a Markdown file names it."""

    source: str
    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class CourseMedia:
    """The pictures of a course; `names` maps media/x.png to the name it is published under."""

    files: tuple[MediaFile, ...]

    @property
    def names(self) -> Mapping[str, str]:
        return {file.source: file.name for file in self.files}


def course_media(folder: Path) -> CourseMedia:
    """The pictures in `folder`/media, in the order of their names; none when there is no such folder.

    Files of another type are left out, so a mail that shows one is told that there is no such picture;
    and so are those that are pictures in name only, and links out of the folder: they could publish
    any file of the machine.
    """
    found = []
    home = folder.resolve()
    for path in sorted((folder / MEDIA_FOLDER).glob("**/*")):
        if path.suffix.lower() not in CONTENT_TYPES or not path.is_file():
            continue
        if not path.resolve().is_relative_to(home):
            continue
        file = picture_file(path.relative_to(folder).as_posix(), path.read_bytes())
        if file is not None:
            found.append(file)
    return CourseMedia(tuple(found))


def picture_file(source: str, content: bytes) -> MediaFile | None:
    """A picture that texts name `source`; None when its name or its bytes are those of none."""
    suffix = PurePosixPath(source).suffix.lower()
    if suffix not in CONTENT_TYPES or pixel_width(content) is None:
        return None
    name = hashlib.sha256(content).hexdigest()[:32] + suffix
    return MediaFile(source, name, CONTENT_TYPES[suffix], content)


def pixel_width(content: bytes) -> int | None:
    """How many pixels wide a PNG, GIF or JPEG is; None when the bytes are none of these."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        return int.from_bytes(content[16:20], "big")
    if content[:6] in {b"GIF87a", b"GIF89a"} and len(content) >= 10:
        return int.from_bytes(content[6:8], "little")
    return _jpeg_width(content) if content.startswith(b"\xff\xd8") else None


def _jpeg_width(content: bytes) -> int | None:
    """The width in a JPEG's first frame header (ITU T.81, B.2.2), stepping over what comes before."""
    position = 2
    while position + 9 <= len(content) and content[position] == 0xFF:
        marker, length = content[position + 1], int.from_bytes(content[position + 2 : position + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            return int.from_bytes(content[position + 7 : position + 9], "big")
        position += 2 + length
    return None
