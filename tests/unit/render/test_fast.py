"""The fast mail reads exactly as the plain one, whatever the author wrote and whoever reads it."""

from __future__ import annotations

import quopri
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.content.compile import compile_step
from mailer.content.course_folder import read_course
from mailer.content.system_mails import SYSTEM_MAILS, compile_system_mail
from mailer.content.variables import sample_context
from mailer.i18n import languages
from mailer.render.fast import build_fast, is_fast
from mailer.render.mime import MULTIPART, Headers, build_mail
from mailer.render.personalize import MAX_CHARACTERS, CannotRender, Templates, render
from tests.support.mails import POSITION

COURSES = Path(__file__).parents[3] / "templates" / "courses"

HEADERS = Headers(
    message_id="<1.2@steadypost.example>",
    date=datetime(2026, 3, 2, 8, tzinfo=UTC),
    sender_name="The Reading Room",
    sender_email="course@steadypost.example",
    reply_to="hello@steadypost.example",
    recipient_name="Ada Marsh",
    recipient_email="ada@reader.example",
    list_id="list-1.steadypost.example",
    feedback_id="5:course:step:steadypost",
    unsubscribe_url="https://news.example.org/m/abc/unsubscribe",
    language="en",
)
ADA: dict[str, Any] = {
    **sample_context(),
    "name": "Ada Marsh",
    "first_name": "Ada",
    "fields": {"city": "Tønder"},
}


def plain_mail(templates: Templates, context: Mapping[str, Any], headers: Headers) -> bytes:
    rendered = render(templates, context)
    return build_mail(headers, subject=rendered.subject, text=rendered.text, html=rendered.html)


Read = tuple[list[tuple[str, str]], list[str]]


def read(raw: bytes) -> Read:
    """What a mail program makes of it: every header, decoded, and the two texts."""
    mail = message_from_bytes(raw, policy=SMTP)
    assert isinstance(mail, EmailMessage)
    headers = sorted((name.lower(), str(value)) for name, value in mail.items())
    parts = [mail.get_body([kind]) for kind in ("plain", "html")]
    return headers, [part.get_content() for part in parts if part is not None]


def outcome(build: Any, *given_to: Any) -> Read | tuple[type[Exception], str]:
    try:
        return read(build(*given_to))
    except Exception as error:
        return type(error), str(error)


def assert_fit_for_the_wire(raw: bytes) -> None:
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    lines = raw.split(b"\r\n")
    assert not [line for line in lines if line.startswith(b".")]
    assert max(map(len, lines)) <= 998  # RFC 5321 section 4.5.3.1.6
    body = raw.partition(MULTIPART)[2].split(b"\r\n")
    assert max(map(len, body)) <= 76  # RFC 2045 section 6.7, rule 5
    assert not [line for line in body if line.endswith((b" ", b"\t"))]  # rule 3


def assert_same(templates: Templates, context: Mapping[str, Any] = ADA, headers: Headers = HEADERS) -> bytes:
    expected = outcome(plain_mail, templates, context, headers)
    assert outcome(build_fast, templates, context, headers) == expected
    if isinstance(expected[0], type):
        return b""
    raw = build_fast(templates, context, headers)
    assert_fit_for_the_wire(raw)
    return raw


def in_both(source: str) -> Templates:
    return Templates("A lesson", source, source)


WORDS = st.text(
    alphabet=st.one_of(
        st.sampled_from(" \t\n.=?_<>&\"'aé€😀\x0b\x0c\x1c\x85\u2028\u00a0\0\x7f"), st.characters()
    )
).filter(lambda words: "{" not in words)
LONG = st.builds(
    lambda one, times: one * times,
    st.sampled_from(["x", ".", "é", "😀", "a ", " .", "="]),
    st.integers(60, 200),
)
EXPRESSIONS = st.sampled_from(
    [
        "{{ name }}",
        "{{ first_name | default('friend', true) }}",
        "{{ name | upper }}",
        "{{ name | truncate(5) }}",
        "{{ name | replace('a', '<.') }}",
        "{{ name | urlencode }}",
        "{{ name | length }}",
        "{{ name | title | trim }}",
        "{{ fields.city | default('no city ') }}",
        "{{ links.view }}",
        "{{ links.view }}/{{ name | urlencode }}\n",
        "{{ name ~ '<' }}",
        "{{ '{' }}",
        "{{ '.' }}",
        "{{ ' ' }}",
        "{{ '' }}",
        "{{ '\\n' }}",
        "{{ '\\r' }}",
        "{{ '\\r\\n.\\r\\n' }}",
        "{{ '<b>' }}",
        "{{ 1.50 }}",
        "{{ none }}",
        "{{ name == 'Ada' }}",
        "{{- name -}}",
        "{# a comment #}",
        "{{ name if name else '.' }}",
        "{{ 1 / course.days }}",
    ]
)
TEMPLATES = st.recursive(
    st.one_of(WORDS, LONG, EXPRESSIONS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=6).map("".join),
        st.builds(
            "{{% if name %}}{}{{% elif fields.city %}}{}{{% else %}}{}{{% endif %}}".format,
            inner,
            inner,
            inner,
        ),
        st.builds("{}{{%- if name == 'Ada' -%}}{}{{% endif %}}".format, inner, inner),
    ),
    max_leaves=12,
)
NAMES = st.one_of(
    st.just(""),
    st.text(max_size=40),
    st.text(alphabet=" .,;:@\"'\\()<>[]=?_-aZ9éñ山", max_size=30),
    st.builds(
        " ".join,
        st.lists(st.text(alphabet=st.characters(categories=["L", "N", "M"]), min_size=1), max_size=4),
    ),
    st.sampled_from(
        ["Ada", "Jürgen Müller", "山田 太郎", "Weiß, Jonas", "O'Neil-Smith", "=?utf-8?q?a=0D=0AX:_y?="]
    ),
)
EMAILS = st.builds(
    "{}@{}".format,
    st.one_of(st.text(alphabet="abc.+-_'\"@ ", min_size=1, max_size=50), st.text(min_size=1, max_size=10)),
    st.sampled_from(["reader.example", "bücher.example", "localhost", "a" * 60 + ".example", "[127.0.0.1]"]),
)
SUBJECTS = st.one_of(
    st.text(max_size=150),
    st.builds(" ".join, st.lists(st.text(alphabet="abc.=?:-<é😀山", max_size=30), max_size=12)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEMPLATES, TEMPLATES, NAMES, st.text(max_size=100))
def test_a_fast_mail_reads_as_the_plain_one_whatever_the_author_writes(
    html: str, text: str, name: str, city: str
) -> None:
    assert_same(Templates("A lesson", html, text), ADA | {"name": name, "fields": {"city": city}})


@settings(max_examples=150, deadline=None)
@given(NAMES, EMAILS, NAMES, SUBJECTS)
def test_a_fast_mail_has_the_plain_ones_headers_whoever_reads_it(
    name: str, email: str, sender: str, subject: str
) -> None:
    headers = replace(HEADERS, recipient_name=name, recipient_email=email, sender_name=sender)
    raw = assert_same(Templates("{{ subject }}", "x", "x"), {"subject": subject}, headers)
    said = " ".join(subject.split()).replace("=?", "= ?")
    assert not raw or not said.isprintable() or ("subject", said) in read(raw)[0]


def system_mails() -> list[Templates]:
    mails = [compile_system_mail(name, language) for name in SYSTEM_MAILS for language in languages()]
    return [Templates(mail.subject, mail.html, mail.text) for mail in mails]


def sample_course() -> list[Templates]:
    course, _ = read_course(COURSES / "neck-and-shoulder")
    assert course is not None
    media = {path.relative_to(course.folder).as_posix(): path.name for path in course.folder.glob("media/*")}
    mails = [compile_step(course, step, position=POSITION, media=media)[0] for step in course.steps]
    assert None not in mails
    return [Templates(mail.subject, mail.html, mail.text) for mail in mails if mail is not None]


@pytest.mark.parametrize("mails", [system_mails, sample_course])
@pytest.mark.parametrize("name", ["", "Ada", "Jürgen\u2028Müller", "<b>&.", "a" * 200])
def test_the_mails_that_come_with_steadypost_are_built_fast(
    mails: Callable[[], list[Templates]], name: str
) -> None:
    for templates in mails():
        assert is_fast(templates)
        assert_same(templates, ADA | {"name": name, "first_name": name, "greeting": f"Hello {name},"})


@pytest.mark.parametrize(
    "source",
    [
        "",
        "no line end",
        "a line end\n",
        "blanks at line ends \n\t\n \n",
        "ends in a blank ",
        "x" * 74 + "{{ name }} ",
        "x" * 75 + " ",
        "x" * 76 + "\n",
        "x" * 75 + "." + "x" * 75 + "\n",
        ".a dot\n..dots\n.\n{{ '.' }}{{ '.b' }}",
        "a blank before a value's line end {{ '\\n' }}x",
        "a value that ends in a blank {{ 'x ' }}\nx",
        "a line end of two halves{{ '\\r' }}\nx",
        "a line end of Windows\r\nx\rx",
        "{{ '=0D=0A.=0D=0A' }}",
        "{{ '--=_steadypost--' }}\n--=_steadypost--\n",
        "a line\u2028of\x85another\x0bkind\x0c{{ '\u2028\x85\x0b\x0c' }}",
        "{{ '\x00\x01\x1f\x7f' }}\x00\x01\x1f\x7f",
        "é" * 200 + "😀" * 100,
        "a constant {{ '<b>' }} and {{ 1 }} and {{ none }} and {{ true }} and {{ 'a' ~ 'é' }}",
        "{% raw %}{{ x }}{% endraw %}{# gone #} {%- if true -%} \n . {%- endif %}",
        "{% if fields.city is defined %}{{ fields.city }}.{% elif name %}x{% else %}y{% endif %}",
    ],
)
def test_what_is_hard_about_encoding_in_pieces(source: str) -> None:
    assert is_fast(in_both(source))
    assert_same(in_both(source))


@pytest.mark.parametrize(
    "value", [".", "..\r\n.", "\r", "\n.\n", " ", "=", "é" * 300, "x" * 500, "😀 " * 60, 3, None, 1.5]
)
def test_a_value_is_encoded_whatever_it_is(value: object) -> None:
    assert_same(in_both("a {{ name }}\n{{ name }}{{ name }}."), ADA | {"name": value})


def test_no_character_is_divided_by_a_line_break() -> None:
    raw = assert_same(in_both("{{ name }}\n" + "y" + "😀" * 50), ADA | {"name": "x" + "山" * 90})
    for line in raw.partition(MULTIPART)[2].split(b"\r\n"):
        quopri.decodestring(line.removesuffix(b"=")).decode("utf-8")


def test_markup_in_a_value_is_escaped_and_said_once() -> None:
    raw = assert_same(in_both("{{ name }}"), ADA | {"name": "<script>&amp;"})
    assert read(raw)[1] == ["<script>&amp;", "&lt;script&gt;&amp;amp;"]


@pytest.mark.parametrize(
    "source",
    [
        "{% for letter in name %}{{ letter }}.{% endfor %}",
        "{% set x %}é {{ name }}=\n{% endset %}{{ x }}{{ x | length }}",
        "{% filter upper %}é=\n{% endfilter %}",
        "{% block a %}=.{% endblock %}",
        "{% macro m() %}=é{% endmacro %}{{ m() }}",
        "{% autoescape false %}{{ name }}{% endautoescape %}",
        "{% with %}{{ name }}{% endwith %}",
        "{% if name %}{% for x in name %}é{% endfor %}{% endif %}",
    ],
)
def test_a_template_that_holds_more_than_values_and_ifs_is_filled_in_plainly(source: str) -> None:
    assert not is_fast(in_both(source))
    assert_same(in_both(source + "\n.a dot"))


@pytest.mark.parametrize(
    "source",
    [
        "{{ nobody }}",
        "{{ fields.nothing }}",
        "{{ name.__class__ }}",
        "{{ 1 / 0 }}",
        "{{ name | truncate(2) }}",
        "{{ nobody | upper }}",
        "{{ range(3) }}",
        "{% if nobody %}{% endif %}",
        "{{ unfinished",
        "{{ x | nofilter }}",
        "{% include 'x' %}",
    ],
)
def test_what_cannot_be_filled_in_says_so_in_the_same_words(source: str) -> None:
    with pytest.raises(CannotRender) as plainly:
        render(in_both(source), ADA)
    for templates in (in_both(source), Templates(source, "x", "x")):
        with pytest.raises(CannotRender) as quickly:
            build_fast(templates, ADA, HEADERS)
        assert str(quickly.value) == str(plainly.value)


def test_half_a_character_is_refused_as_ever() -> None:
    for templates in (in_both("{{ name }}"), in_both("\ud800")):
        with pytest.raises(ValueError, match="surrogates"):
            build_fast(templates, ADA | {"name": "\ud800"}, HEADERS)


def test_a_mail_may_be_as_long_as_ever_and_no_longer() -> None:
    longest = MAX_CHARACTERS // 2
    assert_same(in_both("{{ name }}"), {"name": "=" * longest})
    with pytest.raises(CannotRender, match="longer than"):
        build_fast(in_both("{{ name }}"), {"name": "x" * (longest + 1)}, HEADERS)


@pytest.mark.parametrize(
    "headers",
    [
        replace(HEADERS, unsubscribe_url=None),
        replace(HEADERS, is_auto_submitted=True, reply_to="", language="de-AT"),
        replace(HEADERS, language=""),
        replace(
            HEADERS,
            recipient_name="Adelheid Maria " * 3 + "Marsh",
            recipient_email="a" * 50 + "@reader.example",
        ),
        replace(HEADERS, recipient_name="Müller " * 20),
        replace(HEADERS, recipient_name="Jürgen", recipient_email="j" * 60 + "@reader.example"),
        replace(HEADERS, recipient_name="Jürgen  Müller "),
        replace(HEADERS, sender_email="jürgen@bücher.example"),
        replace(HEADERS, recipient_email="jürgen@bücher.example", recipient_name="Jürgen"),
        replace(
            HEADERS, date=datetime(2026, 3, 2, 8, 0, 1, 5, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
        ),
        replace(HEADERS, date=datetime(2026, 3, 2, 8)),
        replace(HEADERS, date=datetime(1850, 1, 1, tzinfo=ZoneInfo("Europe/Lisbon"))),
        replace(HEADERS, message_id="<a\r\nBcc: x>"),
        replace(HEADERS, unsubscribe_url="https://a.example/" + "x" * 1000),
        replace(HEADERS, recipient_name="Ada\r\nBcc: x@evil.example"),
        replace(HEADERS, recipient_email="ada@reader.example\r\nBcc: x@evil.example"),
        replace(HEADERS, recipient_email="ada"),
        replace(HEADERS, sender_name="=?utf-8?q?a=0D=0ABcc:_x?="),
    ],
)
@pytest.mark.parametrize(
    "subject", ["A lesson", "Eine Lektion für dich, " * 6, "", "=?utf-8?q?a=0D=0ABcc:_x?=", "x" * 300]
)
def test_headers_that_are_not_everyones_read_the_same(headers: Headers, subject: str) -> None:
    assert_same(Templates(subject, "x", "x"), ADA, headers)


def test_two_readers_at_one_moment_in_two_zones_each_get_their_own_hour() -> None:
    zones = [timezone(timedelta(hours=hours)) for hours in (0, 2)]
    for zone in zones:
        headers = replace(HEADERS, date=HEADERS.date.astimezone(zone))
        assert ("date", format_datetime(headers.date)) in read(build_fast(in_both("x"), ADA, headers))[0]
