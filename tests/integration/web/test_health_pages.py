"""What probes and Prometheus ask: each answer is true, and the figures are not for everybody."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import text

from mailer.db import Sessions, session_scope
from mailer.delivery.holds import pause
from mailer.links import Signer
from mailer.models import HoldScope
from mailer.reports.metrics import metrics_token
from mailer.settings import Settings
from tests.integration.web.test_every_page import NO_DATABASE, NOBODY_THERE
from tests.support.reader_pages import SECRET, Links, Reader, running_app


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_ready_when_database_migrations_and_broker_are(site: httpx.Client) -> None:
    answer = site.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"database": "ok", "migrations": "ok", "broker": "ok"},
    )


def test_not_ready_names_what_is_down_while_the_process_is_up(settings: Settings) -> None:
    with running_app(settings.replace(redis_url=NOBODY_THERE)) as address:
        assert httpx.get(address + "/healthz").status_code == 200
        answer = httpx.get(address + "/readyz")
        assert (answer.status_code, answer.json()["broker"]) == (503, "down")
    with running_app(settings.replace(database_url=NO_DATABASE)) as address:
        assert httpx.get(address + "/healthz").status_code == 200
        answer = httpx.get(address + "/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"database": "down", "migrations": "unknown", "broker": "ok"}


def test_not_ready_on_the_schema_of_another_version(site: httpx.Client, sessions: Sessions) -> None:
    with session_scope(sessions) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    answer = site.get("/readyz")
    assert (answer.status_code, answer.json()["migrations"]) == (503, "not current")
    assert site.get("/health").status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        {},
        bearer("nonsense"),
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YTpi"},
        bearer(metrics_token(Signer(["another key that is long enough to be one"]))),
    ],
)
def test_the_figures_are_not_public_not_even_on_this_machine(
    site: httpx.Client, header: dict[str, str]
) -> None:
    answer = site.get("/metrics", headers=header)
    assert (answer.status_code, answer.content) == (401, b"")


def test_the_token_of_a_mail_does_not_open_the_figures(site: httpx.Client, links: Links, ada: Reader) -> None:
    token = links.signer.delivery_token(ada.delivery_id)
    assert site.get("/metrics", headers=bearer(token)).status_code == 401
    assert site.get(f"/m/{metrics_token(links.signer)}").status_code == 404


def test_prometheus_gets_the_figures_of_every_lane(
    site: httpx.Client, ada: Reader, sessions: Sessions, links: Links
) -> None:
    with session_scope(sessions) as session:
        pause(session, HoldScope.DOMAIN, "secret.example", links.now, who="ann")
    answer = site.get("/metrics", headers=bearer(metrics_token(Signer([SECRET]))))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    for lane in ("transactional", "course", "campaign"):
        assert any(line.startswith(f'steadypost_deliveries_waiting{{lane="{lane}"}}') for line in lines)
    assert "steadypost_redis_up 1.0" in lines
    assert 'steadypost_holds{scope="domain"} 1.0' in lines
    assert "secret.example" not in answer.text


def test_without_redis_the_figures_say_so(settings: Settings) -> None:
    with running_app(settings.replace(redis_url=NOBODY_THERE)) as address:
        answer = httpx.get(address + "/metrics", headers=bearer(metrics_token(Signer([SECRET]))), timeout=20)
    assert "steadypost_redis_up 0.0" in answer.text
    assert "steadypost_queue_tasks{" not in answer.text
