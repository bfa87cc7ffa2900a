"""No template costs a machine its time or memory, and one that cannot be filled in is named with its line."""

from __future__ import annotations

import time

import pytest
from jinja2.exceptions import FilterArgumentError

from mailer.content.variables import author_environment, sample_context
from tests.support.mails import Write

GROWING = "{{ name" + ' | replace("", "0123456789")' * 9 + " }}"
DOUBLING = "{{ name" + ' | replace("a", "aaaaaaaaaa")' * 9 + " }}"
COSTLY = [
    '{% if 2 | round(10000000, "floor") > 1 %}a{% endif %}',
    '{{ 2 | round(10000000, "floor") }}',
    '{{ 2 | round(-10000000, "ceil") }}',
    GROWING,
    DOUBLING,
    '{{ "a" ' + ' | replace("a", "aaaaaaaaaa")' * 12 + " }}",
]


@pytest.mark.parametrize("body", COSTLY)
def test_what_would_take_hours_is_refused_at_once(write: Write, body: str) -> None:
    began = time.process_time()
    ((line, what),) = write(f"Text\n\n{body}").faults
    assert line == 9
    assert "cannot be worked out" in what
    assert time.process_time() - began < 2


@pytest.mark.parametrize("body", ["{{ " * 3000 + "}}", "{{ ' " * 1500 + "}} " * 1500, "{{ (}} " * 300])
def test_braces_without_end_are_told_soon(write: Write, body: str) -> None:
    began = time.process_time()
    assert write(body).faults[0][0] == 7
    assert time.process_time() - began < 5


@pytest.mark.parametrize("body", COSTLY)
def test_what_the_check_never_saw_is_stopped_when_a_mail_is_made(body: str) -> None:
    began = time.process_time()
    with pytest.raises(FilterArgumentError):
        author_environment(autoescape=True).from_string(body).render(sample_context())
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("{{ 1 / 0 }}", "`{{ 1 / 0 }}` cannot be worked out"),
        ("{% if 1 // 0 %}a{% endif %}", "cannot be worked out"),
        ("{{ name + 1 }}", "cannot be worked out"),
        ("{{ name | truncate(1) }}", "cannot be worked out"),
        ("{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}", "is opened and not closed on its line, or cannot"),
        ("{{ " + "(" * 400 + "1" + ")" * 400 + " }}", "cannot be read"),
        ("{{ " + "9" * 5000 + " }}", "is opened and not closed on its line, or cannot"),
        ("{{ name" + "|d" * 450 + " }}", "cannot be"),
        ("{{ name" + " | trim" * 2000 + " }}", "is opened and not closed on its line, or cannot"),
        ("{{ 1" + "+(1" * 230 + ")" * 230 + " }}", "cannot be"),
        ("{{ " + "- " * 300 + "course.days }}", "cannot be"),
        ("[x](https://a.example/{{ name" + "|d" * 450 + "|urlencode }})", "cannot be"),
        ("[x]({{ links" + ".a" * 450 + " }})", "no variable"),
        ("{% if name %}" * 101 + "a" + "{% endif %}" * 101, "do not fit together"),
    ],
)
def test_what_cannot_be_filled_in_is_a_problem_with_its_line(write: Write, body: str, what: str) -> None:
    faults = write(body).faults
    # Of the mail as a whole, the line is the one on which its body begins: 5, as the title stands there.
    assert any(line in {7, 5} and what in said for line, said in faults), faults


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("2.567 | round(1)", "2.6"),
        ("2.567 | round(2, 'floor')", "2.56"),
        ("1234 | round(-2) | int", "1200"),
        ("'a-b-c' | replace('-', '+')", "a+b+c"),
        ("'a-b-c' | replace('-', '+', 1)", "a+b-c"),
        ("name | truncate(6)", "Ada..."),
    ],
)
def test_the_filters_do_what_they_say(expression: str, shown: str) -> None:
    template = author_environment(autoescape=False).from_string(f"{{{{ {expression} }}}}")
    assert template.render(sample_context()) == shown


def test_replacing_does_not_make_markup() -> None:
    template = author_environment(autoescape=True).from_string("{{ name | replace('a', '<b>') }}")
    assert template.render(name="a&") == "&lt;b&gt;&amp;"
