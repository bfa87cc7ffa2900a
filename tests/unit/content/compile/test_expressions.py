"""Jinja2 expressions come through Markdown, MJML and the CSS inliner unharmed; braces stay braces."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.content.placeholders import Placeholders
from mailer.content.variables import (
    VARIABLES,
    Where,
    author_environment,
    offered,
    sample_context,
)
from tests.support.mails import Write


def paragraphs(html: str) -> list[str]:
    return re.findall(r"<p[^>]*>(.*?)</p>", html, re.DOTALL)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("Dear {{ name }}!", "Dear Ada Lovelace!"),
        ("**{{ first_name }}**, _{{ first_name }}_", "<strong>Ada</strong>, <em>Ada</em>"),
        ("{{ fields.dog | default('*no* dog') }}", "*no* dog"),
        ('{{ fields.dog | default("}}") }}', "}}"),
        ("{{ fields.dog | default('<b>') }}", "&lt;b&gt;"),
        ("{% if fields.age | default(0) < 18 %}young{% else %}old{% endif %}", "young"),
        ("{% if name == 'Ada Lovelace' and 'Ada' in name %}**yes**{% endif %}", "<strong>yes</strong>"),
        ("`{{ name }}`", "<code>Ada Lovelace</code>"),
        ("{# a note #}Text", "Text"),
        ("A {{ '{{' }} b", "A {{ b"),
        ("Set {{ '{' }}{{ name }}", "Set {Ada Lovelace"),
        (r"\{\{ name \}\}", "{{ name }}"),
        ("&#123;{ name }} and &#123;% if %}", "{{ name }} and {% if %}"),
        ("A lone } and a lone { and }} too", "A lone } and a lone { and }} too"),
        ("zp0000z stays, {{ name }}", "zp0000z stays, Ada Lovelace"),
    ],
)
def test_what_a_reader_sees(write: Write, body: str, shown: str) -> None:
    html = write(body).html()
    assert shown in [re.sub(r' style="[^"]*"', "", paragraph) for paragraph in paragraphs(html)]


def test_what_a_reader_typed_stays_text(write: Write) -> None:
    hostile = '"><script>alert(1)</script>{{ 1 }}'
    written = write("{{ name }} [x](https://a.example/?q={{ name | urlencode }})")
    html = written.html(name=hostile)
    assert "<script" not in html
    assert "&gt;&lt;script&gt;alert(1)&lt;/script&gt;{{ 1 }}" in html
    assert 'href="https://a.example/?q=%22%3E%3Cscript%3E' in html
    assert hostile in written.text(name=hostile)


def test_subjects_are_templates_too(write: Write) -> None:
    message = write("Text", subject="{{ first_name }}, {{ '{{' }} 100 %", preheader="For {{ name }}").message
    assert message is not None
    plain = author_environment(autoescape=False)
    assert plain.from_string(message.subject).render(sample_context()) == "Ada, {{ 100 %"
    assert plain.from_string(message.preheader).render(sample_context()) == "For Ada Lovelace"


def test_braces_in_a_courses_own_words_are_only_braces(write: Write) -> None:
    written = write("Text", title="# A {\n\n", disclaimer="Not {{ name }}, {% if %} or {# that #}")
    for part in (written.html(), written.text()):
        assert "Not {{ name }}, {% if %} or {# that #}" in part


@given(st.text(alphabet="{}%#-' \nab<&"))
def test_any_text_without_tags_is_the_same_after_rendering(text: str) -> None:
    template = author_environment(autoescape=False).from_string(Placeholders(text).put_back(text))
    assert template.render() == text


@given(st.lists(st.sampled_from(["{", "}", "%", "#", "a", "{{ name }}", "{% if name %}b{% endif %}"])))
def test_tags_and_braces_can_stand_side_by_side(pieces: list[str]) -> None:
    placeholders = Placeholders()
    kept = "".join(placeholders.take_out(piece, fail) if len(piece) > 1 else piece for piece in pieces)
    template = author_environment(autoescape=False).from_string(placeholders.put_back(kept))
    expected = "".join({"{{ name }}": "Ada", "{% if name %}b{% endif %}": "b"}.get(p, p) for p in pieces)
    assert template.render(name="Ada") == expected


def fail(line: int, what: str, fix: str) -> None:
    raise AssertionError((line, what, fix))


@pytest.mark.parametrize(
    "expression",
    [
        "fields.items",
        "fields.__class__",
        "fields['__class__']",
        "name.__class__.__mro__",
        "name.upper",
        "cycler",
        "self._TemplateReference__context",
        "range",
    ],
)
def test_no_expression_reaches_an_attribute_of_python(expression: str) -> None:
    """Whatever the check may overlook, the sandbox answers only with what is in the mappings."""
    template = author_environment(autoescape=True).from_string(f"{{{{ ({expression}) | default('no') }}}}")
    assert template.render(sample_context()) == "no"


def test_a_preview_has_a_sample_of_every_variable() -> None:
    environment = author_environment(autoescape=True)
    for path in offered(Where.SYSTEM_MAILS):
        assert environment.from_string(f"{{{{ {path} }}}}").render(sample_context())


def test_steps_are_not_offered_what_only_system_mails_have() -> None:
    only_system = {each.path for each in VARIABLES if each.where is Where.SYSTEM_MAILS}
    assert only_system == {"links.confirm", "links.data", "first_lesson_on"}
    assert only_system.isdisjoint(offered(Where.COURSE_MAILS))
