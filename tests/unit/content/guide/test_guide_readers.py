"""Quirks of the kinds of file: wrapped text, pages without headings, documents without styles."""

from __future__ import annotations

from pathlib import Path

import docx
import pytest
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from mailer.content.guide import import_guide
from mailer.content.guide.model import Block, Bullets, Paragraph, plain
from mailer.content.guide.readers.docx import read_docx
from tests.support.guides.samples import SLEEP, body_of, write

WRAPPED = """\
Growing Tomatoes on a Balcony
=============================

A short guide for people with more
patience than space.

Choosing Plants
---------------

Small bush tomatoes fit a balcony best. They stay low, they need no
stakes, and they bear fruit early. Look for names such as "balcony" or
"patio" on the label, and ask whether they are grafted.

* Bush tomatoes stay low and need hardly any
  pruning at all
* Cordon tomatoes want a stake

> The best fertiliser is the
> gardener's shadow.

*****

Watering
--------

Water in the morning, slowly, and at the foot of the plant; wet
leaves invite blight.

+-------+--------+
| Month | Litres |
+-------+--------+
| May   | 1      |
| July  | 2      |
+-------+--------+
"""


def test_wrapped_text_with_underlined_headings(tmp_path: Path) -> None:
    report = import_guide(write(tmp_path, WRAPPED), tmp_path / "course")
    assert body_of(report, "choosing-plants") == (
        "# Choosing Plants\n\n"
        "Small bush tomatoes fit a balcony best. They stay low, they need no stakes, and they bear fruit "
        'early. Look for names such as "balcony" or "patio" on the label, and ask whether they are '
        "grafted.\n\n"
        "- Bush tomatoes stay low and need hardly any pruning at all\n"
        "- Cordon tomatoes want a stake\n\n"
        "> The best fertiliser is the gardener's shadow.\n"
    )
    assert "| Month | Litres |\n| --- | --- |\n| May | 1 |\n| July | 2 |" in body_of(report, "watering")
    assert 'subtitle = "A short guide for people with more patience than space."' in (
        report.folder / "course.toml"
    ).read_text(encoding="utf-8")
    assert {note.why for note in report.left_out} == {"a dividing line"}


def test_text_without_blank_lines(tmp_path: Path) -> None:
    words = "A Guide to Bread\nFor people in a hurry\nIntroduction\nBread is flour and water.\nFlour\n"
    words += "Use strong flour. It has more gluten.\n- wheat\n- rye\nFAQ\nIs it hard?\nNo.\n"
    report = import_guide(write(tmp_path, words), tmp_path / "course")
    assert (report.title, [step.key for step in report.steps]) == (
        "A Guide to Bread",
        ["introduction", "flour", "faq"],
    )


def test_tables_of_plain_text_may_stand_in_columns(tmp_path: Path) -> None:
    words = (
        "Bread\n\nFlours\n\nKind     Water\nWheat    60 %\nRye      80 %\n\nOvens\n\nHeat\tMinutes\n240\t50\n"
    )
    report = import_guide(write(tmp_path, words), tmp_path / "course")
    assert "| Kind | Water |\n| --- | --- |\n| Wheat | 60 % |" in body_of(report, "flours")
    assert "| Heat | Minutes |\n| --- | --- |\n| 240 | 50 |" in body_of(report, "ovens")


def test_numbered_headings_and_numbered_lists(tmp_path: Path) -> None:
    words = "Bread\n\n1. Flour\n\nUse it.\n\n2. Water\n\nDo this:\n\n1. Boil\n2. Cool\n"
    report = import_guide(write(tmp_path, words), tmp_path / "course")
    assert [step.key for step in report.steps] == ["flour", "water"]
    assert body_of(report, "water") == "# Water\n\nDo this:\n\n1. Boil\n2. Cool\n"


def test_a_lone_verse_is_no_row_of_headings(tmp_path: Path) -> None:
    words = "Bread\n\nWhy\n\nBecause of this:\n\nRoses are red\nViolets are blue\n\nHow\n\nSlowly.\n"
    report = import_guide(write(tmp_path, words), tmp_path / "course")
    assert [step.key for step in report.steps] == ["why", "how"]
    assert "Roses are red\n\nViolets are blue" in body_of(report, "why")


def test_a_part_heading_with_nothing_below_goes_into_the_next_mail(tmp_path: Path) -> None:
    report = import_guide(
        write(
            tmp_path,
            "# Bread\n\n## Part One\n\n### Flour\n\nUse it.\n\n## Part Two\n\n### Water\n\nBoil it.\n",
            "g.md",
        ),
        tmp_path / "course",
    )
    assert [step.key for step in report.steps] == ["flour", "water"]
    assert body_of(report, "water") == "# Water\n\nPart Two\n\nBoil it.\n"
    assert [note.text for note in report.doubtful] == ["Part One", "Part Two"]


def test_deeper_headings_stay_inside_their_lesson(tmp_path: Path) -> None:
    words = "# Bread\n\n## Flour\n\nUse it.\n\n### Wheat\n\nStrong.\n\n#### Old\n\nRare.\n\n"
    words += "## Water\n\nBoil it.\n"
    body = body_of(import_guide(write(tmp_path, words, "g.md"), tmp_path / "course"), "flour")
    assert body == "# Flour\n\nUse it.\n\n## Wheat\n\nStrong.\n\n### Old\n\nRare.\n"


def test_text_before_the_first_heading_is_a_lesson_or_part_of_the_first(tmp_path: Path) -> None:
    long = "Bread takes its time, and this guide takes it with you, from the first handful of flour to the "
    long += "last crumb on the table, one small step a day."
    report = import_guide(
        write(tmp_path, f"# Bread\n\n{long}\n\n## Flour\n\nUse it.\n\n## Water\n\nBoil it.\n", "g.md"),
        tmp_path / "one",
    )
    assert [step.subject for step in report.steps] == ["Bread", "Flour", "Water"]
    short = "# Bread\n\nBy Ada\n\nA guide.\n\n## Flour\n\nUse it.\n\n## Water\n\nBoil it.\n"
    report = import_guide(write(tmp_path, short, "h.md"), tmp_path / "two")
    assert body_of(report, "flour") == "# Flour\n\nBy Ada\n\nA guide.\n\nUse it.\n"
    assert [note.line for note in report.doubtful] == [3]


@pytest.mark.parametrize(
    "closing",
    [
        "## Disclaimer\n\nThis is no medical advice.\n\nAsk a doctor.\n",
        "## Goodbye & Disclaimer\n\nDisclaimer: This is no medical advice.\n\nDisclaimer: Ask a doctor.\n",
    ],
)
def test_a_closing_disclaimer_goes_under_every_mail(tmp_path: Path, closing: str) -> None:
    guide = write(tmp_path, f"# Bread\n\n## Flour\n\nUse it.\n\n## Water\n\nBoil it.\n\n{closing}", "g.md")
    report = import_guide(guide, tmp_path / "course")
    assert [step.key for step in report.steps] == ["flour", "water"]
    toml = (report.folder / "course.toml").read_text(encoding="utf-8")
    assert "This is no medical advice.\n\n" in toml
    assert "Ask a doctor." in toml
    assert "disclaimer" in report.left_out[0].why


def test_a_disclaimer_that_does_not_call_itself_one_is_doubtful(tmp_path: Path) -> None:
    closing = "This article is for informational purposes only and is not a substitute for medical advice."
    guide = write(
        tmp_path, f"# Bread\n\n## Flour\n\nUse it.\n\n## Water\n\nBoil it.\n\n*{closing}*\n", "g.md"
    )
    report = import_guide(guide, tmp_path / "course")
    assert closing in (report.folder / "course.toml").read_text(encoding="utf-8")
    assert [(note.line, note.text) for note in report.doubtful] == [(11, closing)]


def test_front_matter_of_a_markdown_file_may_name_the_title(tmp_path: Path) -> None:
    words = "---\ntitle: Bread\nsubtitle: For all\nauthor: Ada\n---\n\n"
    words += "## Flour\n\nUse it.\n\n## Water\n\nBoil it.\n"
    report = import_guide(write(tmp_path, words, "g.md"), tmp_path / "course")
    assert report.title == "Bread"
    assert [(note.line, note.text) for note in report.left_out] == [(4, "author: Ada")]


def test_a_guide_without_a_title_takes_its_files_name(tmp_path: Path) -> None:
    long = (
        "Use strong flour, because it has more of what holds a loaf together while it rises in the warmth of "
    )
    long += "the kitchen, and buy it fresh."
    guide = write(tmp_path, f"## Flour\n\n{long}\n\n## Water\n\nBoil it.\n", "my-bread_guide.md")
    report = import_guide(guide, tmp_path / "course")
    assert report.title == "My bread guide"
    assert report.doubtful[0].why == "the guide names no title; this is the file's name"


@pytest.mark.parametrize("name", ["pasted.md", "pasted.html", "pasted.docx"])
def test_a_text_pasted_without_any_styles_is_read_as_plain_text(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    lines = SLEEP.read_text(encoding="utf-8").split("\n")
    if name.endswith(".docx"):
        document = docx.Document()
        for line in lines:
            document.add_paragraph(line)
        document.save(str(path))
    elif name.endswith(".html"):
        path.write_text("".join(f"<p>{line}</p>\n" for line in lines), encoding="utf-8")
    else:
        path.write_text("\n".join(lines), encoding="utf-8")
    report = import_guide(path, tmp_path / "course")
    assert len(report.steps) == 15
    assert "- Put the rota where everybody sees it" in body_of(report, "talking-with-your-family").replace(
        "1.", "-"
    )
    assert report.left_out[0].line == 1
    assert [note.line for note in report.left_out][-1] == 135


def test_a_page_of_line_breaks_and_tables_for_layout(tmp_path: Path) -> None:
    page = (
        "<html><head><title>Bread | The Oven</title></head><body><table><tr><td><h2>Flour</h2>"
        "Use it.<br><br>Weigh it.<br>Twice.<ul><p>stray</p></ul></td></tr></table>"
        "<h2>Water</h2><pre>a\n  b</pre><a href='/x'><h3>Heat</h3></a>&nbsp;"
    )
    report = import_guide(write(tmp_path, page, "g.html"), tmp_path / "course")
    assert report.title == "Bread"
    assert body_of(report, "flour") == "# Flour\n\nUse it.\n\nWeigh it.\\\nTwice.\n\n- stray\n"
    assert body_of(report, "water") == "# Water\n\n```\na\n  b\n```\n\n## Heat\n"


def test_bold_lines_are_headings_where_a_document_has_no_styles(tmp_path: Path) -> None:
    document = docx.Document()
    for words in ("Bread", "Flour", "Use it.", "Water", "Boil it."):
        run = document.add_paragraph().add_run(words)
        run.bold = not words.endswith(".")
    document.save(str(tmp_path / "g.docx"))
    report = import_guide(tmp_path / "g.docx", tmp_path / "course")
    assert (report.title, [step.key for step in report.steps]) == ("Bread", ["flour", "water"])


def test_word_styles_that_are_based_on_each_other(tmp_path: Path) -> None:
    document = docx.Document()
    one, two = (document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH) for name in ("One", "Two"))
    one.base_style, two.base_style = two, one
    document.add_paragraph("Use strong flour.", style="One")
    document.save(str(tmp_path / "g.docx"))
    (paragraph,) = read_docx(tmp_path / "g.docx").blocks
    assert isinstance(paragraph, Paragraph)
    assert plain(paragraph.text) == "Use strong flour."


def test_a_list_thousands_of_levels_deep_has_nine(tmp_path: Path) -> None:
    document = docx.Document()
    for level in range(1200):
        numbers = document.add_paragraph("Point")._p.get_or_add_pPr().get_or_add_numPr()
        numbers.get_or_add_ilvl().val, numbers.get_or_add_numId().val = level, 1
    document.save(str(tmp_path / "g.docx"))
    block: Block | None = read_docx(tmp_path / "g.docx").blocks[0]
    depth = 0
    while isinstance(block, Bullets):
        depth, block = depth + 1, next(iter(block.items[-1].children), None)
    assert depth == 9  # levels 0 to 8; all the deeper points stand on the last


def test_what_a_word_document_hides_in_corners(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_heading("Bread", 1)
    document.add_heading("Flour", 2)
    paragraph = document.add_paragraph("Use ")
    inserted = OxmlElement("w:ins")
    inserted.append(paragraph.add_run("strong ")._r)
    paragraph._p.append(inserted)
    deleted = OxmlElement("w:del")
    run = OxmlElement("w:r")
    text = OxmlElement("w:delText")
    text.text = "weak "
    run.append(text)
    deleted.append(run)
    paragraph._p.append(deleted)
    paragraph.add_run("flour.")
    link = OxmlElement("w:hyperlink")
    address = document.part.relate_to(
        "https://example.org/flour",
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink",
        is_external=True,
    )
    link.set(qn("r:id"), address)
    link.append(document.add_paragraph().add_run("More on flour")._r)
    paragraph._p.append(link)
    document.add_heading("Water", 2)
    document.add_paragraph("Boil it.")
    document.sections[0].footer.paragraphs[0].text = "Page of The Oven"
    document.save(str(tmp_path / "g.docx"))
    report = import_guide(tmp_path / "g.docx", tmp_path / "course")
    assert (
        body_of(report, "flour") == "# Flour\n\nUse strong flour.[More on flour](https://example.org/flour)\n"
    )
    assert [(note.line, note.text) for note in report.left_out] == [(0, "Page of The Oven")]
