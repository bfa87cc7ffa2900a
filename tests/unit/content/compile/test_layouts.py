"""Our own MJML: the compiler drops what it does not know without a word, so a test looks first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from lxml import etree

from mailer.content.course_folder import StepKind
from mailer.content.layout import to_html
from mailer.content.mjml_check import COMPONENTS
from mailer.content.system_mails import SYSTEM_MAILS, compile_system_mail
from mailer.settings import PROJECT
from tests.support.mails import EVERY_BLOCK, Write

PADDING = {"padding", "padding-top", "padding-right", "padding-bottom", "padding-left", "css-class"}
LAYOUT: Mapping[str, frozenset[str]] = {
    **COMPONENTS,
    "mjml": frozenset({"lang", "dir"}),
    "mj-head": frozenset(),
    "mj-title": frozenset(),
    "mj-preview": frozenset(),
    "mj-raw": frozenset(),
    "mj-style": frozenset(),
    "mj-attributes": frozenset(),
    "mj-all": COMPONENTS["mj-text"],
    "mj-body": frozenset({"background-color", "css-class", "width"}),
    "mj-section": frozenset({*PADDING, "background-color", "border", "border-radius", "direction"}),
    "mj-column": frozenset({*PADDING, "background-color", "border", "direction", "width"}),
}
"""MJML 4's components, as far as layouts use them."""


def unknown(mjml: str) -> Iterator[str]:
    """The components and attributes in a layout that MJML does not know; raises when it is no XML."""
    root = etree.fromstring(mjml.encode(), etree.XMLParser(no_network=True, resolve_entities=False))
    for element in root.iter(etree.Element):
        if element.tag == "mjml" or element.tag.startswith("mj-"):
            known = LAYOUT.get(element.tag)
            if known is None:
                yield element.tag
            else:
                yield from (f"{element.tag} {name}" for name in element.attrib if name not in known)


@pytest.fixture
def compiled_mjml(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The MJML of every mail that is compiled from now on, just before MJML's compiler gets it."""
    seen: list[str] = []

    def noting(mjml: str, *, start: str) -> str:
        seen.append(mjml)
        return to_html(mjml, start=start)

    monkeypatch.setattr("mailer.content.assemble.to_html", noting)
    return seen


@pytest.mark.parametrize("kind", StepKind)
def test_the_layout_of_a_step_is_mjml_throughout(
    write: Write, compiled_mjml: list[str], kind: StepKind
) -> None:
    assert write(EVERY_BLOCK, kind=kind, preheader="A preheader").problems == []
    assert [list(unknown(mjml)) for mjml in compiled_mjml] == [[]]


@pytest.mark.parametrize("name", SYSTEM_MAILS)
def test_the_layout_of_a_system_mail_is_mjml_throughout(compiled_mjml: list[str], name: str) -> None:
    compile_system_mail(name, "en")
    assert [list(unknown(mjml)) for mjml in compiled_mjml] == [[]]


def test_a_wrong_layout_would_be_found() -> None:
    wrong = '<mjml><mj-body><mj-section colour="red"><mj-colum /></mj-section></mj-body></mjml>'
    assert list(unknown(wrong)) == ["mj-section colour", "mj-colum"]


def test_colours_are_named_in_the_palette_alone() -> None:
    for path in (PROJECT / "templates" / "mail").rglob("*.mjml"):
        assert "#2f6b5e" not in path.read_text(encoding="utf-8"), path.name
