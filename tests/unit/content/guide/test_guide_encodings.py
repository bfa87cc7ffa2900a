"""Text files in the encodings that people's programs save."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.content.guide import ImportReport, import_guide
from tests.support.guides.samples import body_of

WORDS = (
    "Schlaf nach der Nachtschicht\n\nMüdigkeit\n\n“Nicht schlafen” – das ist für große Städte kein Witz.\n\n"
)
WORDS += "Café\n\nDie Größe der Tasse zählt; drei Stück à 80 mg sind genug.\n"


def imported(tmp_path: Path, data: bytes, name: str = "guide.txt") -> ImportReport:
    (tmp_path / name).write_bytes(data)
    return import_guide(tmp_path / name, tmp_path / "course")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_read_with_and_without_its_mark(tmp_path: Path, encoding: str) -> None:
    report = imported(tmp_path, WORDS.encode(encoding))
    assert "“Nicht schlafen” – das ist für große Städte kein Witz." in body_of(report, "mudigkeit")
    assert report.doubtful == ()


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf_16_is_read_in_both_byte_orders(tmp_path: Path, mark: bytes) -> None:
    encoding = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
    assert "zählt" in body_of(imported(tmp_path, mark + WORDS.encode(encoding)), "cafe")


def test_windows_1252_is_read_and_named_as_a_guess(tmp_path: Path) -> None:
    report = imported(tmp_path, WORDS.encode("cp1252"))
    assert "drei Stück à 80 mg" in body_of(report, "cafe")
    assert "“Nicht schlafen” –" in body_of(report, "mudigkeit")
    assert [(note.line, note.text) for note in report.doubtful] == [(3, "Müdigkeit")]
    assert "read as cp1252" in report.doubtful[0].why


def test_another_alphabet_is_not_taken_for_windows_1252(tmp_path: Path) -> None:
    words = (
        "Сон после смены\n\nСвет\n\nСвет говорит телу, который сейчас час.\n\nЕда\n\nЕшьте до начала смены.\n"
    )
    report = imported(tmp_path, words.encode("cp1251"))
    assert report.title == "Сон после смены"
    assert "read as cp1251" in report.doubtful[0].why


def test_a_page_is_read_in_the_encoding_it_names(tmp_path: Path) -> None:
    page = (
        '<html><head><meta charset="iso-8859-2"></head><body><h1>Sen</h1>'
        "<h2>Światło</h2><p>Zażółć gęślą jaźń.</p><h2>Cisza</h2><p>Śpij dobrze.</p></body></html>"
    )
    report = imported(tmp_path, page.encode("iso-8859-2"), "guide.html")
    assert "Zażółć gęślą jaźń." in body_of(report, "swiatlo")
    assert report.doubtful == ()


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_line_ends_of_other_systems(tmp_path: Path, line_end: str) -> None:
    report = imported(tmp_path, WORDS.replace("\n", line_end).encode())
    assert [step.key for step in report.steps] == ["mudigkeit", "cafe"]
    assert "\r" not in body_of(report, "cafe")


def test_spaces_that_are_none_and_characters_that_cannot_be_seen(tmp_path: Path) -> None:
    words = "\ufeffSleep\u200b\n\nWhy\u00a0Now\n\n\u200b\u2022\u00a0one\n\u2022\u202ftwo\n\n"
    words += "How\n\nSlow\u00adly.\u00a0Then wait.\n"
    report = imported(tmp_path, words.encode())
    assert report.title == "Sleep"
    assert body_of(report, "why-now") == "# Why Now\n\n- one\n- two\n"
    assert body_of(report, "how") == "# How\n\nSlowly. Then wait.\n"
