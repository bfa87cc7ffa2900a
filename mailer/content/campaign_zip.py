"""A campaign as one file, to carry it between the desk, git and other machines."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath

from mailer.content.campaign_text import CampaignText, checked_text, leading_first
from mailer.content.course_zip import LONG_AGO, unpack_files
from mailer.content.media import CONTENT_TYPES, MEDIA_FOLDER
from mailer.errors import Refused

TEXTS = (".md", ".markdown", ".mjml")


def pack_campaign(slug: str, text: CampaignText, pictures: Mapping[str, bytes]) -> tuple[str, bytes]:
    """The name and bytes of one file: its Markdown as it is, or a zip where there is more than that."""
    if len(text.files) == 1 and not pictures:
        return text.first.name, text.first.text.encode()
    contents = {one.name: one.text.encode() for one in text.files} | dict(pictures)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            info = zipfile.ZipInfo(f"{slug}/{name}", LONG_AGO)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return f"{slug}.zip", packed.getvalue()


def read_upload(name: str, content: bytes) -> tuple[CampaignText, dict[str, bytes]]:
    """A campaign's files, and its pictures by how a text names them; raises Refused for what is none."""
    place = PurePosixPath(name.replace("\\", "/")).name
    if place.lower().endswith(".zip"):
        return _read_zip(content)
    if not place.lower().endswith(TEXTS):
        raise Refused("Choose the campaign's .md or .mjml file, or a zip of its files and folder media.")
    return CampaignText(leading_first({place: checked_text(place, _decoded(place, content))})), {}


def _read_zip(content: bytes) -> tuple[CampaignText, dict[str, bytes]]:
    files = unpack_files(content, _root, _belongs)
    texts = {
        name: checked_text(name, _decoded(name, bytes_))
        for name, bytes_ in files.files.items()
        if "/" not in name
    }
    pictures = {name: bytes_ for name, bytes_ in files.files.items() if "/" in name}
    return CampaignText(leading_first(texts)), pictures


def _root(paths: list[PurePosixPath]) -> PurePosixPath:
    """The folder that the texts are in."""
    texts = [path for path in paths if path.suffix.lower() in TEXTS and "__MACOSX" not in path.parts]
    if not texts:
        raise Refused("The zip has no .md or .mjml file, so there is no campaign in it.")
    return min(texts, key=lambda path: (len(path.parts), str(path))).parent


def _belongs(name: PurePosixPath) -> bool:
    if any(part.startswith(".") for part in name.parts):
        return False
    if len(name.parts) == 1:
        return name.suffix.lower() in TEXTS
    return name.parts[0] == MEDIA_FOLDER and name.suffix.lower() in CONTENT_TYPES


def _decoded(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(f"{name} is not UTF-8 text; save it as UTF-8.") from None
