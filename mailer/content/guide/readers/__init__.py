"""One reader for each kind of file a guide comes in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bs4.dammit import EncodingDetector

from mailer.content.guide.encoding import decode
from mailer.content.guide.model import Heading, Reading
from mailer.content.guide.readers.docx import read_docx
from mailer.content.guide.readers.html import read_html
from mailer.content.guide.readers.markdown import read_markdown
from mailer.content.guide.readers.text import read_text
from mailer.errors import Refused

LARGEST = 50_000_000
"""Bytes; a guide is a few hundred thousand."""
TEXTS = {
    ".txt": read_text,
    ".text": read_text,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
}
WORD = ".docx"


def read_guide(path: Path) -> Reading:
    """What is in a guide file. Raises Refused with one sentence when it cannot be read."""
    ending = path.suffix.lower()
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "is not there"
            raise Refused(f"{path} {what}; name a guide file that ends in .txt, .md, .html or .docx.")
        if ending not in TEXTS and ending != WORD:
            raise Refused(
                f"{path} does not end in .txt, .md, .html or .docx; save the guide as one of these."
            )
        size = path.stat().st_size
        if size >= LARGEST:
            raise Refused(
                f"{path} has {size // 1_000_000} MB; a guide has less than {LARGEST // 1_000_000} MB."
            )
        if size == 0:
            raise Refused(f"{path} is empty; name the file that holds the guide's text.")
        if ending == WORD:
            return read_docx(path)
        data = path.read_bytes()
    except OSError as error:
        raise Refused(
            f"{path} cannot be read ({error.strerror}); check its name and its permissions."
        ) from error
    return _read_text_file(path, data, ending)


def _read_text_file(path: Path, data: bytes, ending: str) -> Reading:
    is_page = TEXTS[ending] is read_html
    declared = EncodingDetector.find_declared_encoding(data, is_html=True) if is_page else None
    text, notes = decode(data, path, declared=declared)
    if not text.strip():
        raise Refused(f"{path} is empty; name the file that holds the guide's text.")
    try:
        reading = TEXTS[ending](text)
        if not is_page and TEXTS[ending] is read_markdown and not _has_headings(reading):
            # Text pasted into a .md file without a single `#` is plain text, whatever its name says.
            reading = read_text(text)
    except RecursionError as error:
        raise Refused(f"{path} is nested too deeply to be read; flatten its lists and try again.") from error
    return replace(reading, doubtful=(*notes, *reading.doubtful))


def _has_headings(reading: Reading) -> bool:
    return any(isinstance(block, Heading) for block in reading.blocks)
