"""The bytes of a text file as text, whichever encoding they were saved in."""

from __future__ import annotations

import re
from pathlib import Path

from charset_normalizer import from_bytes

from mailer.content.guide.model import LineNote
from mailer.encodings import marked_encoding
from mailer.errors import Refused

MAGIC = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip or Word file",
    b"\xd0\xcf\x11\xe0": "an old Word file",
    b"{\\rtf": "an RTF file",
}
# In Windows-1252 these stand between letters only where the bytes meant another alphabet's letters.
NOT_INSIDE_WORDS = re.compile(r"[^\W\d_][¡-©«¬®-¶¸¹»-¿×÷†‡ˆ‰‹›€]+[^\W\d_]")
ODD_CONTROLS = re.compile(r"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def decode(data: bytes, path: Path, *, declared: str | None = None) -> tuple[str, list[LineNote]]:
    """The text in `data`, and a note when its encoding had to be guessed.

    `declared` is the encoding an HTML file names itself. Line ends become `\\n`. Raises Refused when
    this is no text, or in no encoding that can be told.
    """
    for start, name in MAGIC.items():
        if data.startswith(start):
            raise Refused(
                f"{path} is {name}, not text; save it as .docx, .html, .md or .txt and import that."
            )
    text, notes = _decoded(data, path, declared)
    if len(ODD_CONTROLS.findall(text[:100_000])) * 100 > len(text[:100_000]):
        raise Refused(_not_text(path))
    return text.replace("\r\n", "\n").replace("\r", "\n"), notes


def _decoded(data: bytes, path: Path, declared: str | None) -> tuple[str, list[LineNote]]:
    if marked := marked_encoding(data):
        try:
            return data.decode(marked), []
        except UnicodeDecodeError as error:
            raise Refused(_not_text(path)) from error
    if b"\0" in data:
        raise Refused(_not_text(path))
    # A page that names its encoding is believed after UTF-8: many say Latin-1 and are UTF-8.
    for believed in ("utf-8", declared):
        try:
            if believed:
                return data.decode(believed), []
        except (UnicodeDecodeError, LookupError):
            continue
    return _guessed(data, path)


def _guessed(data: bytes, path: Path) -> tuple[str, list[LineNote]]:
    """What charset-normalizer makes of it; Windows-1252 wherever that reads as well as its best."""
    matches = from_bytes(data)
    best = matches.best()
    if best is None:
        raise Refused(_not_text(path))
    encoding = best.encoding
    if any("cp1252" in match.could_be_from_charset for match in matches):
        try:
            if not NOT_INSIDE_WORDS.search(data.decode("cp1252")):
                encoding = "cp1252"
        except UnicodeDecodeError:
            pass
    text = data.decode(encoding)
    first = next((number for number, line in enumerate(data.split(b"\n"), 1) if not line.isascii()), 1)
    shown = text.split("\n")[first - 1].strip() if first <= text.count("\n") + 1 else ""
    why = f"the file is not UTF-8 and was read as {encoding}; see whether its accents are right"
    return text, [LineNote(first, shown, why)]


def _not_text(path: Path) -> str:
    return f"{path} is not readable text; save it as UTF-8 and import it again."
