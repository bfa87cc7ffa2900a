"""Byte-order marks."""

from __future__ import annotations

import codecs

import pytest

from mailer.encodings import marked_encoding


@pytest.mark.parametrize(
    ("mark", "written"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_mark_names_the_encoding_that_reads_the_text_without_it(mark: bytes, written: str) -> None:
    data = mark + "Zoë".encode(written)
    encoding = marked_encoding(data)
    assert encoding is not None
    assert data.decode(encoding) == "Zoë"


def test_without_a_mark_nothing_is_said() -> None:
    assert marked_encoding("Zoë".encode()) is None
    assert marked_encoding(b"") is None
