"""A mail with counted links reads as the one without; only its author's links lead over us."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest

from mailer.content.links import links_in
from mailer.content.variables import sample_context
from mailer.render.fast import build_fast, is_fast
from mailer.render.mime import Headers, build_mail
from mailer.render.personalize import Templates, render
from mailer.render.tracking import NO_TRACKING, Tracking, tracked, tracking_of
from tests.support.mails import Write

CLICK = "https://news.example.org/l/abc"
SAMPLE: dict[str, Any] = sample_context()
CONTEXT = {**SAMPLE, "links": {**SAMPLE["links"], "click": CLICK}}
HEADERS = Headers(
    message_id="<1.2@steadypost.example>",
    date=datetime(2026, 3, 2, 8, tzinfo=UTC),
    sender_name="The Reading Room",
    sender_email="course@steadypost.example",
    reply_to="",
    recipient_name="Ada Marsh",
    recipient_email="ada@reader.example",
    list_id="list-1.steadypost.example",
    feedback_id="5:course:step:steadypost",
    unsubscribe_url="https://news.example.org/m/abc/unsubscribe",
    language="en",
)
CLICKS = tracking_of(True, False, False)
BODY = """\
{{ greeting }} Read [this](https://a.example/x?b=1&c=2), [more](https://a.example/x) and
<br>[it again](https://a.example/x?b=1&c=2). Write to [us](mailto:us@a.example), or look at
[yours](https://a.example/x?who={{ email | urlencode }}) or [leave]({{ links.unsubscribe }}).

::: button https://b.example/go Go on
:::
"""


@pytest.fixture
def message(write: Write) -> Templates:
    made = write(BODY).message
    assert made is not None
    return Templates(made.subject, made.html, made.text)


@pytest.fixture
def links(message: Templates) -> tuple[str, ...]:
    return links_in(message.html)


def test_the_links_of_a_message_are_those_its_author_wrote_in_order(links: tuple[str, ...]) -> None:
    assert links == ("https://a.example/x?b=1&c=2", "https://a.example/x", "https://b.example/go")


def test_a_counted_mail_leads_over_us(message: Templates, links: tuple[str, ...]) -> None:
    mail = render(tracked(message, links, CLICKS), CONTEXT)
    for part in (mail.html, mail.text):
        assert all(f"{CLICK}/{number}" in part for number in (0, 1, 2))
        assert "https://b.example/go" not in part
        assert "https://a.example/x?who=ada%40example.org" in part
        assert SAMPLE["links"]["unsubscribe"] in part
        assert "us@a.example" in part
    assert f"this <{CLICK}/0>" in mail.text
    assert mail.html.count(f'href="{CLICK}/0"') == 2


def test_the_words_of_the_mail_stay_the_same(message: Templates, links: tuple[str, ...]) -> None:
    plain = render(message, CONTEXT)
    mail = render(tracked(message, links, CLICKS), CONTEXT)
    html, text = mail.html, mail.text
    for number, url in enumerate(links):
        html = html.replace(f'"{CLICK}/{number}"', f'"{url.replace("&", "&amp;")}"')
        text = text.replace(f"{CLICK}/{number}", url)
    assert (html, text) == (plain.html, plain.text)


def test_nothing_is_switched_on_by_another_switch() -> None:
    assert tracking_of(False, False, False) is NO_TRACKING
    assert tracking_of(False, False, True) is NO_TRACKING
    assert tracking_of(False, True, True) == Tracking(False, True, False)


def test_a_pixel_only_when_it_is_wanted(message: Templates, links: tuple[str, ...]) -> None:
    assert "open.gif" not in render(tracked(message, links, CLICKS), CONTEXT).html
    opens = render(tracked(message, links, Tracking(opens=True)), CONTEXT)
    assert f'<img src="{CLICK}/open.gif"' in opens.html
    assert "https://b.example/go" in opens.html
    assert CLICK not in opens.text


def test_a_decoy_only_when_it_is_wanted_and_nobody_hears_of_it(
    message: Templates, links: tuple[str, ...]
) -> None:
    assert f"{CLICK}/3" not in render(tracked(message, links, CLICKS), CONTEXT).html
    mail = render(tracked(message, links, tracking_of(True, False, True)), CONTEXT)
    decoy = f'<a href="{CLICK}/3" aria-hidden="true" tabindex="-1" style="display:none"></a>'
    assert mail.html.count(decoy) == 1
    assert f"{CLICK}/3" not in mail.text


def test_an_address_is_replaced_whole_or_not_at_all() -> None:
    text = "https://a.example/x\n<https://a.example/xy>, https://a.example/x{{ name }} (https://a.example/x)."
    made = tracked(Templates("s", "", text), ("https://a.example/x",), CLICKS).text
    start = "{{ links.click }}/0"
    assert made == f"{start}\n<https://a.example/xy>, https://a.example/x{{{{ name }}}} ({start})."


@pytest.mark.parametrize("tracking", [CLICKS, Tracking(opens=True), Tracking(True, True, True)])
def test_the_fast_mail_reads_as_the_plain_one(
    message: Templates, links: tuple[str, ...], tracking: Tracking
) -> None:
    templates = tracked(message, links, tracking)
    assert is_fast(templates)
    plain = render(templates, CONTEXT)
    slow = build_mail(HEADERS, subject=plain.subject, text=plain.text, html=plain.html)
    assert read(build_fast(templates, CONTEXT, HEADERS)) == read(slow)


def read(raw: bytes) -> tuple[list[tuple[str, str]], list[str]]:
    """The headers and the two texts as a mail program has them."""
    mail = message_from_bytes(raw, policy=SMTP)
    assert isinstance(mail, EmailMessage)
    parts = [mail.get_body([kind]) for kind in ("plain", "html")]
    headers = sorted((name.lower(), str(value)) for name, value in mail.items())
    return headers, [part.get_content() for part in parts if part is not None]


def test_counted_templates_are_made_once(message: Templates, links: tuple[str, ...]) -> None:
    assert tracked(message, links, CLICKS) is tracked(message, links, CLICKS)
