"""What the documentation says is so."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import typer

from mailer.cli.main import app
from mailer.content import course_toml, step_file
from mailer.content.variables import FILTERS, VARIABLES, Where
from mailer.delivery.states import NEXT
from mailer.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def rows(page: str) -> list[list[str]]:
    """The cells of every table row of a page; a bar inside a cell is written with a backslash."""
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in page.splitlines()
        if line.startswith("|")
    ]


def test_the_table_of_states_is_the_one_in_the_code() -> None:
    section = read("docs/architecture.md").partition("## Delivery states")[2].partition("\n## ")[0]
    table = {
        row[0]: {word.strip() for word in row[2].split(",") if word.strip()} for row in rows(section)[2:]
    }
    assert table == {str(state): {str(following) for following in after} for state, after in NEXT.items()}


def test_every_setting_is_in_the_readme() -> None:
    named = set(re.findall(rf"`({PREFIX}[A-Z_]+)` \|", read("README.md")))
    assert named == {PREFIX + name.upper() for name in Settings.model_fields}


def test_every_command_in_the_documentation_exists() -> None:
    root = typer.main.get_command(app)
    for page in PAGES:
        for noun, verb in re.findall(
            r"^ {4}steadypost (\S+) ([a-z-]+)", page.read_text(encoding="utf-8"), re.M
        ):
            group = root.get_command(typer.Context(root), noun)  # type: ignore[attr-defined]
            assert group is not None, f"{page.name}: {noun}"
            # `up`, `demo` and `why` are verbs themselves.
            assert verb in getattr(group, "commands", [verb]), f"{page.name}: {noun} {verb}"


def test_every_make_target_in_the_documentation_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.M))
    for page in PAGES:
        for target in re.findall(
            r"`make ([a-z-]+)`|^ {4}make ([a-z-]+)", page.read_text(encoding="utf-8"), re.M
        ):
            assert "".join(target) in targets, f"{page.name}: make {target}"


def test_the_variables_and_filters_are_those_that_the_renderer_offers() -> None:
    page = read("docs/courses.md")
    told = {row[0].strip("`"): row[1] for row in rows(page.partition("## Variables")[2])[2:]}
    told.pop("fields.<name>")
    assert told == {each.path: each.meaning for each in VARIABLES if each.where is not Where.SYSTEM_MAILS}
    assert re.findall(r"`(\w+)`", page.partition("Filters:")[2]) == list(FILTERS)


def test_every_setting_of_a_course_and_of_a_step_is_explained() -> None:
    page = read("docs/courses.md")
    for setting in (*course_toml.SETTINGS, *step_file.SETTINGS):
        assert re.search(rf"^(\[\[?)?{setting}\b|\W`{setting}\b", page, re.M), setting


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", text):
        link = "".join(target)
        # A variable is an example of what authors write.
        is_elsewhere = link.startswith(("http", "media/", "{{"))
        assert is_elsewhere or (page.parent / link).exists(), link


def test_nothing_names_a_download_address_or_a_path_of_one_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    unwanted = re.compile(
        r"files\.pythonhosted|pypi\.org|registry\.npmjs|/root/|/home/[a-z]+/|--(?:extra-)?index-url="
    )
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".png", ".docx"} or path == Path(__file__) or not path.is_file():
            continue
        found = unwanted.search(path.read_text(encoding="utf-8", errors="replace"))
        assert found is None, f"{name}: {found and found[0]}"


def test_every_test_that_the_table_of_failures_names_exists() -> None:
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)
    }
    table = rows(read("docs/failures.md"))[2:]
    assert len(table) > 10
    for row in table:
        named = set(re.findall(r"test_\w+", row[3]))
        assert named, row[0]
        assert named <= written, named - written
