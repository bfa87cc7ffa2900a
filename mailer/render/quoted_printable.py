"""Text as pieces of quoted-printable (RFC 2045 section 6.7) that can be put behind each other.

Every piece begins and ends at column 0: it closes with a line break of the text or with a soft one. So
what stands before or after it changes nothing about it, and a piece is encoded once. No line begins with
a dot, so that SMTP has none to double (RFC 5321 section 4.5.2).
"""

from __future__ import annotations

import binascii
import re

LONGEST_LINE = 75
"""Characters before the = of a soft line break; with it the 76 that the RFC allows."""
SOFT_BREAK = "=\r\n"
_OTHERS = re.compile(r"[^!-<>-~ \t]+")
_CONTINUATIONS = ("=8", "=9", "=A", "=B")
"""How the second to fourth bytes of a character in UTF-8 begin."""


def piece(text: str) -> str:
    """One stretch of a part's text, whose line ends are \\n.

    Raises ValueError for \\r, which could be half of a line end, and for what UTF-8 cannot write.
    """
    if "\r" in text:
        raise ValueError("a carriage return in a piece of a mail")
    *lines, rest = text.split("\n")
    pieces = [_broken(_without_blank_end(_quoted(line))) + "\r\n" for line in lines]
    if rest:
        pieces.append(_broken(_quoted(rest)) + SOFT_BREAK)
    return "".join(pieces)


def short_piece(text: str) -> str:
    """The same as `piece()`, sooner for the few words of a name or a title."""
    if "\n" not in text and "\r" not in text:
        quoted = binascii.b2a_qp(text.encode()).decode("ascii")
        if 0 < len(quoted) <= LONGEST_LINE and quoted[0] != ".":
            return quoted + SOFT_BREAK
    return piece(text)


def whole(text: str) -> str:
    """A part's whole body, whatever its line ends are."""
    return ended(piece(text.replace("\r\n", "\n").replace("\r", "\n")))


def ended(pieces: str) -> str:
    """Pieces as a body: a soft break at its end becomes a line break."""
    if not pieces.endswith(SOFT_BREAK):
        return pieces
    body = pieces[: -len(SOFT_BREAK)]
    if body.endswith((" ", "\t")):
        # On a line of its own: there may be no room for three characters on this one.
        body = body[:-1] + SOFT_BREAK + _encoded(body[-1])
    return body + "\r\n"


def _quoted(line: str) -> str:
    return _OTHERS.sub(lambda found: _encoded(found[0]), line)


def _encoded(characters: str) -> str:
    return "=" + characters.encode().hex("=").upper()


def _without_blank_end(quoted: str) -> str:
    """A blank before a line break may be lost on the way."""
    return quoted[:-1] + _encoded(quoted[-1]) if quoted.endswith((" ", "\t")) else quoted


def _broken(quoted: str) -> str:
    """An encoded line of any length, broken into short ones."""
    if len(quoted) <= LONGEST_LINE and not quoted.startswith("."):
        return quoted
    lines, start = [], 0
    while start < len(quoted):
        first = _encoded(".") if quoted[start] == "." else quoted[start]
        end = _break_before(quoted, start + 1 + LONGEST_LINE - len(first))
        lines.append(first + quoted[start + 1 : end])
        start = end
    return SOFT_BREAK.join(lines)


def _break_before(quoted: str, end: int) -> int:
    """The last place up to `end` where a line may end: not within a character's bytes."""
    if end >= len(quoted):
        return len(quoted)
    if "=" in quoted[end - 2 : end]:
        end = quoted.rindex("=", end - 2, end)
    while quoted.startswith(_CONTINUATIONS, end):
        end -= 3
    return end
