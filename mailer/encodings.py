"""What the first bytes of a text file say about its encoding, wherever a file comes in."""

from __future__ import annotations

import codecs

# UTF-32 before UTF-16: the mark of UTF-16-LE is how that of UTF-32-LE begins.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def marked_encoding(head: bytes) -> str | None:
    """The encoding that a byte-order mark names, or None; decoding with it also takes the mark away."""
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
