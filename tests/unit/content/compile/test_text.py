"""The text part, which some readers prefer and some programs show: it must read well as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.content.text_layout import columns_of, wrapped
from tests.support.mails import Write


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("Some *light* and **heavy** words.", "Some _light_ and *heavy* words."),
        ("one\ntwo  \nthree", "one two\nthree"),
        ("## A heading", "A heading\n---------"),
        ("- one\n- two\n  - inner\n- three", "- one\n- two\n  - inner\n- three"),
        ("3. one\n4. two", "3. one\n4. two"),
        ("- one\n\n- two", "- one\n\n- two"),
        ("> A quotation\n\n> goes on", "> A quotation\n\n> goes on"),
        ("[here](https://a.example/b)", "here <https://a.example/b>"),
        ("<https://a.example/b>", "https://a.example/b"),
        ("[us@a.example](mailto:us@a.example)", "us@a.example"),
        ("---", "* * *"),
        ("`code` and H<sub>2</sub>O<br>on", "code and H2O\non"),
        ("```\na\n  b\n```", "    a\n      b"),
        ("Text\n\n<!-- a note -->\n\nmore", "Text\n\nmore"),
        (
            "| a | long head |\n|---|---|\n| wide cell | 2 |",
            "a          long head\n---------  ---------\nwide cell  2",
        ),
        ("::: action\nDo it.\n:::", "Today’s small action\n--------------------\n\nDo it."),
        (
            "::: checklist\n- One\n- Two *now*\n:::",
            "This week’s checklist\n---------------------\n\n[ ] One\n[ ] Two _now_",
        ),
        ("::: callout\nMind the step.\n\nReally.\n:::", "| Mind the step.\n|\n| Really."),
        ("::: question Why?\nBecause.\n:::", "Q: Why?\nA: Because."),
        ("::: next\nMore.\n:::", "Next time: More."),
        ("::: button https://a.example/x Go\n:::", "Go:\nhttps://a.example/x"),
        ("::: button {{ links.manage }} Go\n:::", "Go:\nhttps://mail.example.org/m/sample/manage"),
        (
            '```mjml\n<mj-text>A <b>word</b></mj-text>\n<mj-button href="https://a.example">Go</mj-button>\n```',
            "A word\n\nGo: https://a.example",
        ),
        ("{% if name == 'Ben' %}a{% else %}b{% endif %} & <c", "b & <c"),
    ],
)
def test_how_a_block_reads(write: Write, body: str, text: str) -> None:
    assert write(body).text_body() == text


def test_lines_are_72_wide_and_addresses_whole(write: Write) -> None:
    address = "https://a.example/" + "x" * 80
    text = write(f"{'word ' * 30}[there]({address}) {'word ' * 30}\n\n- {'item ' * 30}").text()
    assert address in text
    assert max(len(line) for line in text.split("\n") if address not in line) <= 72


def test_a_variable_is_counted_by_what_a_reader_sees(write: Write) -> None:
    """72 = 56 + a space + the 15 letters of ada@example.org: the address still fits on the line."""
    text = write("a" * 56 + " {{ email }} on").text_body()
    assert text == "a" * 56 + " ada@example.org\non"


def test_a_table_too_wide_for_the_page_is_written_as_records(write: Write) -> None:
    wide = "word " * 14
    text = write(f"| Name | What |\n|---|---|\n| One | {wide}|\n| Two | {wide}|").text_body()
    first, second = text.split("\n\n")
    assert first.startswith("Name: One\nWhat: word")
    assert second.startswith("Name: Two\n")


def test_a_picture_is_its_alternative_text(write: Write, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "moon.gif").write_bytes(b"GIF89a\x40\x01\x10\x00")  # 320 pixels wide
    written = write("![A *low* moon](media/moon.gif)", media={"media/moon.gif": "abc.gif"})
    assert written.text_body() == "[A _low_ moon]"
    assert 'src="https://mail.example.org/media/abc.gif" alt="A low moon"' in written.html()
    assert 'width="320"' in written.html()
    assert written.message is not None
    assert written.message.images == ("abc.gif",)


def test_head_and_foot(write: Write) -> None:
    assert write("Hello.").text() == (
        "Evening walks\n"
        "Lesson 5 of 18 · day 9 of 30\n"
        "\n"
        "A title\n"
        "=======\n"
        "\n"
        "Hello.\n"
        "\n"
        f"{'-' * 72}\n"
        "\n"
        "No medical advice.\n"
        "\n"
        "You receive this because you asked for “Evening walks”.\n"
        "\n"
        "3 Garden Row, Lisbon\n"
        "\n"
        "Next lesson now, slower, pause: choose your pace:\n"
        "https://mail.example.org/m/sample/pace\n"
        "\n"
        "View in browser: https://mail.example.org/m/sample\n"
        "Choose what you receive: https://mail.example.org/m/sample/manage\n"
        "Unsubscribe: https://mail.example.org/m/sample/unsubscribe\n"
    )


def test_wide_letters_count_for_two() -> None:
    assert columns_of("日本") == 4
    assert columns_of("e\u0301") == 1
    assert wrapped("日本 日本", 7) == "日本\n日本"
