"""A whole mail in its author's own MJML: sections, columns and what must be in it, checked line by line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lxml import etree
from markupsafe import Markup

from mailer.content.assemble import CompiledMessage
from mailer.content.expressions import TagKind, is_bare
from mailer.content.html import Picture
from mailer.content.layout import Frame, fill_text, mail_templates, to_html
from mailer.content.lint import lint_mjml_tags
from mailer.content.markdown import Findings
from mailer.content.mjml_check import (
    COMPONENTS,
    OnFault,
    check_attributes,
    check_component,
    check_instructions,
    in_our_words,
    near,
    parse_fragment,
    with_pictures,
)
from mailer.content.mjml_text import said_in
from mailer.content.placeholders import Placeholders
from mailer.content.text_layout import WIDTH, wrapped

_PADDING = frozenset({"padding", "padding-top", "padding-right", "padding-bottom", "padding-left"})
_BORDER = frozenset({"border", "border-top", "border-right", "border-bottom", "border-left", "border-radius"})
_BAND = frozenset({*_PADDING, *_BORDER, "background-color", "css-class", "full-width", "text-align"})

STRUCTURE: Mapping[str, frozenset[str]] = {
    "mjml": frozenset({"lang", "dir"}),
    "mj-body": frozenset({"background-color", "css-class", "width"}),
    "mj-wrapper": _BAND,
    "mj-section": _BAND | {"direction"},
    "mj-group": frozenset({"background-color", "css-class", "direction", "vertical-align", "width"}),
    "mj-column": frozenset({*_PADDING, *_BORDER, "background-color", "css-class", "inner-background-color"})
    | {"vertical-align", "width"},
}
"""What holds the components, with the attributes of each. No background-url: it would fetch a picture."""

INSIDE: Mapping[str, tuple[str, ...]] = {
    "mjml": ("mj-body",),
    "mj-body": ("mj-section", "mj-wrapper"),
    "mj-wrapper": ("mj-section",),
    "mj-section": ("mj-column", "mj-group"),
    "mj-group": ("mj-column",),
    "mj-column": tuple(COMPONENTS),
}

CheckComponent = Callable[[etree._Element, frozenset[str], OnFault], None]


def lint_document(
    source: str, placeholders: Placeholders, media: Mapping[str, str], findings: Findings
) -> None:
    """Adds to `findings` everything wrong with a mail that is one MJML document, its tags taken out."""
    root, faults = parse_fragment(source)
    for line, message in faults:
        findings.add(*in_our_words(line, message))
    if [child.tag for child in root] != ["mjml"] or (root.text or "").strip():
        findings.add(0, "The MJML does not begin with <mjml>.", "Write <mjml><mj-body> … </mj-body></mjml>.")
        return
    check_instructions(root, findings.add)
    check_inside(root[0], findings.add)
    if [child.tag for child in root[0]].count("mj-body") != 1:
        findings.add(0, "The MJML has not one <mj-body>.", "Write <mjml><mj-body> … </mj-body></mjml>.")
    lint_mjml_tags(source, 0, placeholders, media, findings)
    _lint_must_haves(root, placeholders, findings)


def check_inside(element: etree._Element, on_fault: OnFault, check: CheckComponent = check_component) -> None:
    """Tells of everything wrong with an element that holds others, and with all in it; `check` looks at each
    component.
    """
    tag = str(element.tag)
    check_attributes(element, STRUCTURE[tag], on_fault)
    for between in (element.text, *(child.tail for child in element)):
        if between and between.strip():
            what = f"Text or a control tag stands in `<{tag}>` itself."
            on_fault((element.sourceline or 1) - 1, what, "Put it inside a component, such as <mj-text>.")
    for child in element:
        line = (child.sourceline or 1) - 1
        if not isinstance(child.tag, str):
            continue
        if child.tag not in INSIDE[tag]:
            what = f"`<{child.tag}>` cannot stand in `<{tag}>`."
            fix = near(str(child.tag), frozenset(INSIDE[tag]), "There may stand")
            if child.tag == "mj-head":
                fix = "Take it out: the subject and the preheader come from the front matter."
            on_fault(line, what, fix)
        elif tag == "mj-column":
            check(child, COMPONENTS[str(child.tag)], on_fault)
        else:
            check_inside(child, on_fault, check)


def _lint_must_haves(root: etree._Element, placeholders: Placeholders, findings: Findings) -> None:
    """Nobody may get a mail that cannot be left, or that does not say who it is from."""
    # Not in one with an if in it: some readers would go without.
    always = [
        part
        for part in root.iter(*COMPONENTS)
        if all(tag.kind is not TagKind.CONTROL for tag in placeholders.tags_in("".join(part.itertext())))
    ]
    links = [str(each.get("href", "")) for part in always for each in part.iter("a", "mj-button")]
    leaving = (tag for link in links for tag in placeholders.tags_in(link))
    if not any(is_bare(tag, frozenset({"links.unsubscribe"})) for tag in leaving):
        fix = 'Write <a href="{{ links.unsubscribe }}">Unsubscribe</a> into an <mj-text> that has no if.'
        findings.add(0, "The mail has no link for unsubscribing.", fix)
    said = [tag for part in always for tag in placeholders.tags_in("".join(part.itertext()))]
    if not any(is_bare(tag, frozenset({"sender.postal_address"})) for tag in said):
        fix = "Write {{ sender.postal_address }} into an <mj-text>."
        findings.add(0, "The mail does not say its sender's postal address.", fix)


def assemble_document(
    frame: Frame, source: str, placeholders: Placeholders, picture: Picture
) -> CompiledMessage:
    """The compiled mail of a document in which nothing is wrong. Its `images` are still to be told.

    Its text part is made of its components, in our layout for texts.
    """
    root, _ = parse_fragment(with_pictures(source, picture))
    body = etree.tostring(root[0][0], encoding="unicode")
    values = frame.as_values()
    template = mail_templates(frame.language).get_template("own.mjml")
    mjml = template.render(values, body=Markup(body))  # noqa: S704 - checked, and its tags are placeholders
    measure = placeholders.columns_of
    said = "\n\n".join(wrapped(text, WIDTH, measure) for text in said_in(root, placeholders.is_control))
    return CompiledMessage(
        language=frame.language,
        subject=placeholders.put_back(frame.subject),
        preheader=placeholders.put_back(frame.preheader),
        html=placeholders.put_back(to_html(mjml, start=values["start"])),
        text=placeholders.put_back(fill_text(frame, said, measure)),
    )
