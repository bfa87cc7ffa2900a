"""One person's values in a compiled mail: escaped, sandboxed, and never a gap."""

from __future__ import annotations

import pytest

from mailer.render.personalize import CannotRender, Templates, render


def make(html: str, **context: object) -> str:
    return render(Templates("s", html, "t"), context).html


def test_a_name_is_escaped_in_html_and_plain_in_text() -> None:
    mail = render(Templates("{{ name }}", "<p>{{ name }}</p>", "{{ name }}"), {"name": "<b>Ada & co</b>"})
    assert mail.html == "<p>&lt;b&gt;Ada &amp; co&lt;/b&gt;</p>"
    assert mail.text == "<b>Ada & co</b>"


def test_a_subject_stays_on_one_line() -> None:
    assert (
        render(Templates("Hello\n {{ name }}", "", ""), {"name": "Ada\r\nBcc: x"}).subject
        == "Hello Ada Bcc: x"
    )


@pytest.mark.parametrize(
    "template",
    [
        "{{ nobody }}",
        "{{ fields.nothing }}",
        "{{ name.__class__ }}",
        "{{ name.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''.join(name) }}",
        "{{ fields.items() }}",
        "{{ range(10**9) }}",
        "{{ cycler }}",
        "{% include 'x' %}",
        "{{ name | attr('upper') }}",
        "{{ 'x' * 100000000 }}",
    ],
)
def test_what_a_template_must_not_do_is_an_error_not_a_mail(template: str) -> None:
    with pytest.raises(CannotRender):
        make(template, name="Ada", fields={})
