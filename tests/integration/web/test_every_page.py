"""What holds for every page: private, without script and cookies, and plain words when something is wrong."""

from __future__ import annotations

import logging

import httpx
import pytest

from mailer.db import Sessions, session_scope
from mailer.errors import BadSetting
from mailer.models import Media
from mailer.settings import Settings
from mailer.web.app import create_app
from tests.support.reader_pages import Links, Reader, running_app

NOBODY_THERE = "redis://127.0.0.1:1"
NO_DATABASE = "postgresql://nobody@/nothing?host=/nonexistent"


def test_every_page_is_private_and_without_script(
    site: httpx.Client, links: Links, ada: Reader, ada_before_confirming: Reader
) -> None:
    answers = [
        site.get("/"),
        site.get("/nowhere"),
        site.get("/m/nonsense"),
        site.put("/"),
        site.get(links.confirm(ada)),
        site.post(links.confirm(ada)),
        site.get(links.confirm(ada, days=-1)),
        site.get(links.unsubscribe(ada)),
        site.post(links.unsubscribe(ada)),
        site.post(links.mail(ada, "/resubscribe")),
        site.get(links.manage(ada)),
        site.post(links.manage(ada), data={"action": "everything"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 404, 405, 200, 200, 410, *[200] * 5]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "script-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-robots-tag"] == "noindex"
        assert answer.headers["cache-control"] == "private, no-store"
        assert "set-cookie" not in answer.headers
        assert "<script" not in answer.text
        assert "style=" not in answer.text
        assert answer.text.count("<h1") == 1
        assert '<html lang="en" dir="ltr">' in answer.text
        assert '<main class="card">' in answer.text


def test_the_stylesheet_may_be_kept_for_good_because_its_address_names_its_content(
    site: httpx.Client,
) -> None:
    page = site.get("/").text
    address = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert address.startswith("/static/site.css?v=")
    answer = site.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]


def test_pages_find_their_stylesheet_below_the_path_of_the_base_url(settings: Settings) -> None:
    below = settings.replace(base_url="https://example.org/mail/")
    with running_app(below) as address:
        assert 'href="/mail/static/site.css?v=' in httpx.get(address).text


def test_a_picture_is_served_with_its_type_and_may_be_kept_for_good(
    site: httpx.Client, sessions: Sessions
) -> None:
    with session_scope(sessions) as session:
        session.add(Media(name="0123abcd.png", content_type="image/png", content=b"\x89PNG..."))
    answer = site.get("/media/0123abcd.png")
    assert answer.content == b"\x89PNG..."
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert site.head("/media/0123abcd.png").status_code == 200


def test_what_is_not_there_is_a_plain_page(site: httpx.Client) -> None:
    media = ["/media/", "/media/none.png", "/media/%00", "/media/..%2Fapp.py"]
    static = ["/static/", "/static/base.html", "/static/..%2Fbase.html"]
    for address in [*media, *static, "/docs", "/openapi.json", "/confirm/", "/m/"]:
        answer = site.get(address)
        assert answer.status_code == 404
        assert "<h1>" in answer.text


def test_health_is_well_when_database_and_broker_answer(site: httpx.Client) -> None:
    answer = site.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "broker": "ok"})


def test_health_names_what_is_down(settings: Settings) -> None:
    with running_app(settings.replace(redis_url=NOBODY_THERE)) as address:
        answer = httpx.get(address + "/health")
        assert (answer.status_code, answer.json()) == (503, {"database": "ok", "broker": "down"})
    with running_app(settings.replace(database_url=NO_DATABASE)) as address:
        answer = httpx.get(address + "/health")
        assert (answer.status_code, answer.json()) == (503, {"database": "down", "broker": "ok"})


def test_while_the_database_is_away_pages_ask_for_patience(settings: Settings, links: Links) -> None:
    token = links.signer.delivery_token(1)
    with running_app(settings.replace(database_url=NO_DATABASE)) as address:
        for method in ("GET", "POST"):
            answer = httpx.request(method, f"{address}/m/{token}/unsubscribe")
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "60"
            assert "We are having a short break" in answer.text
        german = httpx.get(f"{address}/m/{token}", headers={"Accept-Language": "de-CH, en;q=0.5"})
        assert '<html lang="de"' in german.text
        assert "kurze Pause" in german.text


def test_nobody_waits_for_a_broker_that_is_away(
    settings: Settings, links: Links, ada_before_confirming: Reader
) -> None:
    with running_app(settings.replace(redis_url=NOBODY_THERE)) as address:
        answer = httpx.post(address + links.confirm(ada_before_confirming), timeout=2)
    assert "You are in." in answer.text


def test_no_token_reaches_the_log(
    site: httpx.Client, links: Links, ada: Reader, sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    # What the client of this test says about itself is not ours.
    for client in ("httpx", "httpcore"):
        logging.getLogger(client).setLevel(logging.CRITICAL)
    token = links.signer.delivery_token(ada.delivery_id)
    for page in ("", "/unsubscribe", "/manage", "/nowhere"):
        site.get(f"/m/{token}{page}")
    site.post(f"/m/{token}/unsubscribe")
    assert token not in caplog.text


def test_it_does_not_start_without_what_it_needs() -> None:
    with pytest.raises(BadSetting, match="STEADYPOST_REDIS_URL, STEADYPOST_SECRET_KEY missing"):
        create_app(Settings(database_url=NO_DATABASE))
