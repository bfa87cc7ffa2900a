"""Files as spreadsheets write them, and as people break them."""

from __future__ import annotations

import codecs
import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.audience.spreadsheet import Row, open_sheet
from mailer.errors import Refused

PEOPLE = [["E-Mail", "Name"], ["ada@reader.example", "Zoë Müller"], ["ben@reader.example", "Renée, “Ben”"]]


def written(rows: list[list[str]], delimiter: str = ",", line_end: str = "\r\n") -> str:
    """The rows as a spreadsheet writes them, everything in quotation marks."""
    return "".join(delimiter.join(f'"{cell}"' for cell in row) + line_end for row in rows)


def read(path: Path, data: bytes | str, encoding: str | None = None) -> tuple[tuple[str, ...], list[Row]]:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with open_sheet(path, encoding) as sheet:
        return sheet.columns, list(sheet.rows)


def cells(rows: list[Row]) -> list[list[str]]:
    return [list(row.cells) for row in rows]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "people.csv"


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
        (b"", "cp1252"),
        (b"", "mac_roman"),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
def test_every_encoding_delimiter_and_line_end(
    file: Path, mark: bytes, encoding: str, delimiter: str, line_end: str
) -> None:
    columns, rows = read(file, mark + written(PEOPLE, delimiter, line_end).encode(encoding))
    assert columns == ("email", "name")
    assert cells(rows) == PEOPLE[1:]
    assert [row.line for row in rows] == [2, 3]


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        ("Müller Jürgen Weiß Schröder Käthe", "cp1252"),
        ("Müller Jürgen Weiß Schröder Käthe", "mac_roman"),
        ("René François Hélène Élodie Noël", "cp1252"),
        ("René François Hélène Élodie Noël", "mac_roman"),
        ("José García Núñez Peña Sánchez", "cp1252"),
        ("José García Núñez Peña Sánchez", "mac_roman"),
        ("Åse Østergård Sørensen Märta Björn", "cp1252"),
        ("Åse Østergård Sørensen Märta Björn", "mac_roman"),
        ("O’Brien Ada’s “Ben”", "cp1252"),
    ],
)
def test_the_old_encodings_are_told_apart_by_how_words_read(file: Path, names: str, encoding: str) -> None:
    file.write_bytes(f"name;email\r\n{names};ada@reader.example\r\n".encode(encoding))
    with open_sheet(file) as sheet:
        assert (sheet.encoding.name, sheet.encoding.is_guessed) == (encoding, True)


@pytest.mark.parametrize(
    ("names", "encoding"),
    [("Иван Мария Пётр", "cp1251"), ("Łukasz Paweł Święty Wołoszańska", "cp1250"), ("山田 太郎", "cp932")],
)
def test_an_encoding_that_cannot_be_told_is_asked_for(file: Path, names: str, encoding: str) -> None:
    data = f"name;email\r\n{names};ada@reader.example\r\n".encode(encoding)
    with pytest.raises(Refused, match="--encoding"):
        read(file, data)
    _, rows = read(file, data, encoding)
    assert rows[0].cells[0] == names


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        (
            "sep=;\r\nemail;name\r\nada@reader.example;Ada\r\n",
            ("email", "name"),
            [["ada@reader.example", "Ada"]],
        ),
        ('"sep=|"\nemail|a,b,c\nada@reader.example|x\n', ("email", "a_b_c"), [["ada@reader.example", "x"]]),
        # A comma in a header and in names does not make the comma the delimiter.
        ("Name (last, first);Email\nLovelace, Ada;ada@reader.example", ("name_last_first", "email"), None),
        ("Lovelace, Ada;ada@reader.example\nBen, B;ben@reader.example", ("", "email"), None),
        ("email\nada@reader.example\n", ("email",), [["ada@reader.example"]]),
        ("\n\n,,\nemail,,\nada@reader.example,,\n,,\n", ("email", "", ""), [["ada@reader.example", "", ""]]),
        # Without a header the address tells its column, and the first row counts.
        ("Ada,ada@reader.example", ("", "email"), [["Ada", "ada@reader.example"]]),
        ("Name@Work,Email\nAda,ada@reader.example", ("name_work", "email"), [["Ada", "ada@reader.example"]]),
        ("email\u200b,na\u00adme\n\u00a0ada@reader.example\u00a0,\u202fA\u00a0B", ("email", "name"), None),
        ('email,note,name\nada@reader.example,"tea,\n""green""",Ada', ("email", "note", "name"), None),
        ('email,note\nada@reader.example,"ask\nben@reader.example"', ("email", "note"), None),
    ],
)
def test_shapes_of_sheets(
    file: Path, text: str, columns: tuple[str, ...], rows: list[list[str]] | None
) -> None:
    found, found_rows = read(file, text)
    assert found == columns
    assert not any(row.problem for row in found_rows)
    if rows is not None:
        assert cells(found_rows) == rows


def test_line_numbers_are_those_of_the_file_also_after_line_breaks_in_cells(file: Path) -> None:
    _, rows = read(file, 'sep=,\nemail,note\n\nada@reader.example,"a\nb\nc"\nben@reader.example,x\n')
    assert [row.line for row in rows] == [4, 7]


def test_a_row_with_more_cells_than_columns_is_not_cut(file: Path) -> None:
    _, (ada, ben) = read(file, "email,name\nada@reader.example,Lovelace, Ada\nben@reader.example,Ben,,\n")
    assert "3 cells for 2 columns" in ada.problem
    assert not ben.problem


def test_a_quotation_mark_that_spoils_its_own_row_only_costs_that_row(file: Path) -> None:
    _, rows = read(
        file, 'email,name\nada@reader.example,"Ada" L\nben@reader.example,Ben\ncleo@reader.example,"Cleo'
    )
    assert [bool(row.problem) for row in rows] == [True, False, True]
    assert [row.line for row in rows] == [2, 3, 4]


@pytest.mark.parametrize(
    "text",
    [
        'name,email\n"Ada,ada@reader.example\nBen,ben@reader.example\nCleo,cleo@reader.example\n',
        'name,email\n"Ada,ada@reader.example\n"Ben",ben@reader.example\n',
        # A second stray mark closes the first: for a CSV reader all is well, for Ada it is not.
        'name,email\n"Ada,ada@reader.example\nBen 5",ben@reader.example\n',
        'email,name,note\nada@reader.example,Ada,"likes tea\nben@reader.example,Ben,5"\n',
        'email\n"ada@reader.example\nben@reader.example"\n',
        '\nada@reader.example,"likes tea\nben@reader.example,likes coffee"\n',
        'name,email\n"Ada,ada@reader.example\n' + "Ben,ben@reader.example\n" * 10_000,
    ],
)
def test_a_quotation_mark_that_would_swallow_people_is_told_with_its_line(file: Path, text: str) -> None:
    with pytest.raises(Refused, match=r"quotation mark opens on line 2 of people.csv"):
        read(file, text)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty"),
        (b"\r\n \r\n,,\r\n", "is empty"),
        (b"name,age\nAda,36\n", "has no column of email addresses"),
        (b"PK\x03\x04\x14\x00\x06\x00", "is a workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel workbook"),
        (b"%PDF-1.7\n", "is a PDF"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "is not text"),
        (b"email,name\nada@reader.example,A\x00da\n", "is not text"),
        (b"email\nada@reader.example\n" + b"\x00" * 50, "is not text"),
        (codecs.BOM_UTF16_LE + "email\nada@reader.example".encode("utf-16-le") + b"x", "is not in utf-16"),
        (codecs.BOM_UTF8 + b"email,name\nada@reader.example,M\xfcller\n", "is not in utf-8-sig throughout"),
        (b'"email\nada@reader.example', "quotation mark opens on line 1"),
        (bytes(range(1, 256)) * 20, "is not text"),
    ],
)
def test_a_file_that_is_no_sheet_gets_one_sentence(file: Path, data: bytes, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence) as refusal:
        read(file, data)
    assert "\n" not in str(refusal.value)


def test_a_file_that_cannot_be_opened_gets_one_sentence(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none.csv", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(Refused, match=why), open_sheet(path):
            pass
    with pytest.raises(Refused, match="There is no encoding 'klingon'"):
        read(tmp_path / "people.csv", "email\n", "klingon")


def test_the_same_bytes_have_the_same_digest(file: Path) -> None:
    digests = []
    for text in ("email\nada@reader.example\n", "email\nben@reader.example\n", "email\nada@reader.example\n"):
        file.write_text(text, encoding="utf-8")
        with open_sheet(file) as sheet:
            assert len(list(sheet.rows)) == 1
            digests.append(sheet.digest)
    assert digests[0] == digests[2] != digests[1]


def test_a_pipe_can_be_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(written(PEOPLE),))
    writer.start()
    with open_sheet(pipe) as sheet:
        assert len(list(sheet.rows)) == 2
    writer.join()


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.text('a@.,;"\n\r\t=é\x00\ufeff', max_size=60).map(str.encode))
def test_no_bytes_at_all_are_a_crash(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    with suppress(Refused):
        read(path, b"email\n" + data)
        read(path, data)
