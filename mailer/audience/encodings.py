"""Text files in whichever encoding a spreadsheet wrote them: told by marks, then by UTF-8, then guessed."""

from __future__ import annotations

import codecs
import io
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, cast

from mailer.encodings import marked_encoding
from mailer.errors import Refused

MAX_BYTES = 500 * 1024 * 1024
CHUNK = 1024 * 1024

NOT_TEXT = {
    b"PK\x03\x04": "a workbook (.xlsx, .ods or .numbers) or a zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls)",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip file",
}
ODD_CONTROLS = re.compile(r"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
FOREIGN_WORD = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
GUESSES = ("cp1252", "mac_roman")
"""What Excel writes for Western languages on Windows and on a Mac; the first one when both read well."""
WORDS_LOOKED_AT = 5000
ODD_SHARE = 0.3
"""With more odd words than this the file is in neither of GUESSES."""


ENCODINGS = {
    "utf-8": "UTF-8",
    "cp1252": "Western European (Windows)",
    "mac_roman": "Western European (Mac)",
    "iso8859-15": "Western European (ISO 8859-15)",
    "cp1250": "Central European (Windows)",
    "cp1251": "Cyrillic (Windows)",
    "koi8-r": "Cyrillic (KOI8-R)",
    "cp1253": "Greek (Windows)",
    "cp1254": "Turkish (Windows)",
    "cp1255": "Hebrew (Windows)",
    "cp1256": "Arabic (Windows)",
    "cp1257": "Baltic (Windows)",
    "cp1258": "Vietnamese (Windows)",
    "utf-16": "UTF-16",
    "gb18030": "Chinese, simplified",
    "big5": "Chinese, traditional",
    "cp932": "Japanese (Shift JIS)",
    "cp949": "Korean",
}
"""What somebody may choose, with the words for it."""


@dataclass(frozen=True)
class Encoding:
    """`is_guessed`: nothing in the file says so, and somebody should look whether the accents are right."""

    name: str
    is_guessed: bool = False


@contextmanager
def open_text(path: Path, named: str | None = None) -> Iterator[tuple[io.TextIOWrapper, Encoding]]:
    """The file as text with its line ends as they are; `named` is the encoding somebody has said it has.

    The whole file has been checked before the first line is given: what cannot be decoded is refused
    at once and not in its middle. Raises Refused.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise Refused(f"{path} cannot be read ({error.strerror}).") from None
    with file, _seekable(file) as data:
        encoding = _encoding(data, path.name, named)
        data.seek(0)
        with io.TextIOWrapper(cast(io.BufferedReader, data), encoding.name, newline="") as text:
            yield text, encoding


def tell_encoding(path: Path, named: str | None = None) -> Encoding:
    """What `open_text` would find; once known, a preview need not go through the whole file again."""
    with open_text(path, named) as (_, told):
        return told


@contextmanager
def _seekable(file: BinaryIO) -> Iterator[BinaryIO]:
    """The file itself, or a copy of what comes through a pipe: it is read more than once."""
    if file.seekable():
        yield file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        yield cast(BinaryIO, copy)


def _encoding(data: BinaryIO, name: str, named: str | None) -> Encoding:
    """The encoding of the whole of `data`; raises Refused when it is no text, or too much of it."""
    if data.seek(0, io.SEEK_END) > MAX_BYTES:
        raise Refused(f"{name} is larger than {MAX_BYTES // 1024**2} MB; split it.")
    data.seek(0)
    head = data.read(4096)
    for start, what in NOT_TEXT.items():
        if head.startswith(start):
            raise Refused(f"{name} is {what}; save the sheet as CSV (UTF-8) and import that.")
    told = named or _told(head)
    if told is None:
        _refuse_binary(head.decode("latin-1"), name)
    try:
        _check(data, told or "utf-8", name)
    except LookupError:
        raise Refused(
            f"There is no encoding {named!r}; the usual ones are utf-8, cp1252 and cp1251."
        ) from None
    except UnicodeError:
        if told:
            raise Refused(f"{name} is not in {told} throughout; save the sheet as CSV (UTF-8).") from None
    else:
        return Encoding(told or "utf-8")
    guess = _guess(data, name)
    _check(data, guess, name)
    return Encoding(guess, is_guessed=True)


def _told(head: bytes) -> str | None:
    """What the first bytes say: a mark, or the empty half of UTF-16 without one."""
    if marked := marked_encoding(head):
        return marked
    half = len(head) // 2
    for encoding, empty, full in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
        # Of Latin letters every second byte is empty; of others their commas and line ends still are.
        if half and empty.count(0) > half * 0.3 and full.count(0) < half * 0.01:
            return encoding
    return None


def _check(data: BinaryIO, encoding: str, name: str) -> None:
    """Decode everything once; raises UnicodeError or LookupError, and Refused when it is not text."""
    decoder = codecs.getincrementaldecoder(encoding)()
    data.seek(0)
    while chunk := data.read(CHUNK):
        text = decoder.decode(chunk)
        _refuse_binary(text, name)
    decoder.decode(b"", final=True)


def _refuse_binary(text: str, name: str) -> None:
    if "\0" in text or len(ODD_CONTROLS.findall(text)) * 100 > len(text):
        raise Refused(f"{name} is not text; save the sheet as CSV (UTF-8) and import that.")


def _guess(data: BinaryIO, name: str) -> str:
    """Which of GUESSES the words with accents read better in; raises Refused when none does."""
    words = _foreign_words(data)
    scores = {encoding: score for encoding in GUESSES if (score := _oddness(words, encoding)) is not None}
    best = min(scores, key=lambda encoding: scores[encoding])
    if scores[best] > ODD_SHARE * len(words):
        raise Refused(
            f"The encoding of {name} cannot be told; save the sheet as CSV (UTF-8), or name its encoding "
            "with --encoding (such as cp1250 for Polish or cp1251 for Russian from Windows)."
        )
    return best


def _foreign_words(data: BinaryIO) -> list[bytes]:
    """Different words with bytes beyond ASCII, at most WORDS_LOOKED_AT."""
    words: dict[bytes, None] = {}
    data.seek(0)
    while len(words) < WORDS_LOOKED_AT and (chunk := data.read(CHUNK)):
        words.update(dict.fromkeys(FOREIGN_WORD.findall(chunk)))
    return list(words)[:WORDS_LOOKED_AT]


def _oddness(words: list[bytes], encoding: str) -> float | None:
    """How many of the words look wrong in this encoding; None when one cannot be read at all."""
    try:
        return sum(_word_oddness(word.decode(encoding)) for word in words)
    except UnicodeDecodeError:
        return None


QUOTES = "“”„«»‘‚’–—…"
SHORT_FORM = re.compile(r"\b[^\W\d_]{1,2}’|’[sStTdDmM]\b")
RARE = re.compile("[šžœ–’]")


def _word_oddness(word: str) -> float:
    """1 for a word that no Western language writes, a quarter for a rare one, 0 for a usual one.

    In the wrong encoding a small letter becomes a sign or a capital inside a word: "JŸrgen", "Ren¸".
    """
    inner = SHORT_FORM.sub("", word.strip(QUOTES))
    if not RARE.sub("a", inner).isalpha():
        return float(inner != "")
    has_small = any(sign.islower() for sign in inner)
    for before, sign in pairwise(inner):
        is_capital_inside = has_small and not sign.isascii() and sign.isupper()
        is_capital_after = not before.isascii() and before.islower() and sign.isupper()
        if is_capital_inside or is_capital_after:
            return 1
    if re.search(r"[^\x00-\x7f]{3}", inner):
        return 1
    return 0.25 if RARE.search(inner) else 0
