"""Our layout written out as an MJML document that its author may change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lxml import etree
from markdown_it import MarkdownIt

from mailer.content.html import BlockWriter, Picture
from mailer.content.layout import Frame, fill_html, mail_templates
from mailer.content.markdown import Block
from mailer.content.mjml_check import COMPONENTS, parse_fragment
from mailer.content.mjml_document import STRUCTURE

MAY_HAVE: Mapping[str, frozenset[str]] = {**STRUCTURE, **COMPONENTS}


def own_document(frame: Frame, blocks: Sequence[Block], markdown: MarkdownIt, picture: Picture) -> str:
    """The mail of `blocks` as one <mjml> with a body only.

    What the layout's head says of all components stands at each of them; its rules for dark screens and
    for phones cannot be written at one, and are left out.
    """
    writer = BlockWriter(markdown, mail_templates(frame.language), frame.as_values(), picture)
    root, _ = parse_fragment(fill_html(frame, [writer.write(block) for block in blocks]))
    mjml = root[0]
    head = mjml.find("mj-head")
    if head is not None:
        for rule in head.iterfind("mj-attributes/*"):
            _say_at_each(mjml, rule)
        mjml.remove(head)
    for element in mjml.iter(*MAY_HAVE):
        for name in set(element.attrib) - MAY_HAVE[str(element.tag)]:
            del element.attrib[name]
    said: str = etree.tostring(mjml, encoding="unicode", with_tail=False)
    return said


def _say_at_each(mjml: etree._Element, rule: etree._Element) -> None:
    """Writes the values of <mj-attributes> at the components that they are for, where none is written."""
    for element in mjml.iter(*(MAY_HAVE if rule.tag == "mj-all" else [str(rule.tag)])):
        for name, value in rule.attrib.items():
            if name in MAY_HAVE[str(element.tag)] and name not in element.attrib:
                element.set(name, value)
