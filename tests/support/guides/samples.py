"""The guides that tests import: one about sleep in four kinds of file, and the shared one where it is."""

from __future__ import annotations

import html
import re
import tomllib
from pathlib import Path

import docx
from markdown_it import MarkdownIt

from mailer.content.guide import ImportReport

HERE = Path(__file__).parent
SLEEP = HERE / "sleeping-better.txt"
ENDINGS = ("txt", "md", "html", "docx")
SHARED = Path(__file__).parents[4] / "shared" / "guide" / "neck-and-shoulder-pain.txt"

FACTS = {
    "introduction": "One change a week is plenty.",
    "a-bedroom-for-daytime": "A fan, for the air and for the sound",
    "food-and-caffeine": "Black tea",
    "final-thoughts-disclaimer": "Be patient with yourself.",
}
"""A few words that stand in these steps, whatever file the sleep guide is read from."""


def sleep_guide(ending: str, folder: Path) -> Path:
    """The sleep guide as a file with this ending; the Word document is written into `folder`."""
    return sleep_as_word(folder) if ending == "docx" else HERE / f"sleeping-better.{ending}"


def sleep_as_word(folder: Path) -> Path:
    """The sleep guide as somebody writes it who uses Word's styles."""
    document = docx.Document()
    source = SLEEP.read_text(encoding="utf-8").split("Share on Facebook")[0]
    blocks = [block for block in source.split("\n\n") if block.strip("\u00d7\n ")]
    document.add_paragraph(blocks[0].strip(), style="Title")
    document.add_paragraph(blocks[1].strip(), style="Subtitle")
    for block in blocks[2:]:
        _add(document, [line for line in block.split("\n") if line.strip()])
    path = folder / "sleeping-better.docx"
    document.save(str(path))
    return path


def _add(document: docx.document.Document, lines: list[str]) -> None:
    if " | " in lines[0]:
        rows = [line.split(" | ") for line in lines]
        table = document.add_table(len(rows), len(rows[0]))
        for row, cells in zip(table.rows, rows, strict=True):
            for cell, words in zip(row.cells, cells, strict=True):
                cell.text = words
    elif lines[0].endswith("?") and len(lines) > 1:
        document.add_heading(lines[0], 2)
        for line in lines[1:]:
            document.add_paragraph(line)
    else:
        for line in lines:
            _add_line(document, line)


def _add_line(document: docx.document.Document, line: str) -> None:
    words = line.strip()
    if match := re.match(r"([•◦-])\s+", words):
        style = "List Bullet 2" if match[1] == "◦" else "List Bullet"
        document.add_paragraph(words[match.end() :], style=style)
    elif match := re.match(r"\d\. ", words):
        document.add_paragraph(words[match.end() :], style="List Number")
    elif words.startswith(("“", "— ")):
        document.add_paragraph(words, style="Quote")
    elif match := re.match(r"(Weeks? [^:]+|Daily focus|Disclaimer):", words):
        paragraph = document.add_paragraph()
        paragraph.add_run(match[0]).bold = True
        paragraph.add_run(words[match.end() :])
    elif len(words) < 60 and words[-1] not in ".:" and not words.startswith("Photo"):
        document.add_heading(words, 1)
    else:
        document.add_paragraph(words)


def write(folder: Path, words: str, name: str = "guide.txt") -> Path:
    """A guide of these words."""
    path = folder / name
    path.write_text(words, encoding="utf-8")
    return path


def body_of(report: ImportReport, key: str) -> str:
    """A step's Markdown, below its front matter."""
    path = next(step.path for step in report.steps if step.key == key)
    assert path is not None
    return path.read_text(encoding="utf-8").split("---\n", 2)[2]


def seen(markdown: str) -> str:
    """What a reader of this Markdown sees, as words in small letters with single spaces between."""
    without_fences = re.sub(r"^:::[ ]*(?:question|checklist|callout)?", "", markdown, flags=re.MULTILINE)
    page = MarkdownIt("commonmark").enable("table").render(without_fences)
    return words(html.unescape(re.sub(r"<[^>]+>", " ", page)))


def words(text: str) -> str:
    """The words of a text, in small letters and with single spaces around each."""
    found = re.findall(r"[^\W_]+", text.casefold())
    return f" {' '.join(found)} "


def everything_in(report: ImportReport) -> dict[str, str]:
    """All that an import made: the words of each step, and of course.toml's texts."""
    made = {step.key: seen(body_of(report, step.key)) for step in report.steps}
    course = tomllib.loads((report.folder / "course.toml").read_text(encoding="utf-8"))
    made["course.toml"] = "".join(words(course[name]) for name in ("title", "subtitle", "disclaimer"))
    return made
