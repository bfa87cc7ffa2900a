"""What every address of the API has in common: problems, keys, parts of lists, limits, and its own page."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
from sqlalchemy import func, select, text, update

from mailer.accounts.once import forget_answers
from mailer.accounts.rights import Right
from mailer.db import Sessions, session_scope
from mailer.models import Action, ApiToken, KeptAnswer, Operator
from mailer.settings import Settings
from tests.integration.api.conftest import Program, token_for
from tests.integration.api.test_every_route_of_the_api import assert_is_problem
from tests.support.cast import ADA, BEN, CLEO
from tests.support.reader_pages import running_app


def kind(answer: httpx.Response) -> str:
    """The kind of problem that the answer is."""
    assert_is_problem(answer)
    return str(answer.json()["type"].partition("#problem-")[2])


def test_what_does_not_fit_is_told_with_its_place_and_without_what_was_sent(shop: Program) -> None:
    answer = shop.post("/subscribers", {"email": 12, "nmae": "Ada"})
    assert (answer.status_code, kind(answer)) == (422, "not-valid")
    assert {one["where"] for one in answer.json()["faults"]} == {"body.email", "body.nmae"}
    assert "Ada" not in answer.text
    garbled = shop.client.post(
        "/subscribers",
        content=b'{"email": ',
        headers={"Idempotency-Key": "x", "Content-Type": "application/json"},
    )
    assert (garbled.status_code, kind(garbled)) == (422, "not-valid")


def test_what_is_not_there_and_what_is_not_done_that_way(shop: Program) -> None:
    assert (shop.get("/nothing").status_code, kind(shop.get("/nothing"))) == (404, "not-found")
    wrong = shop.send("DELETE", "/queues")
    assert (wrong.status_code, kind(wrong)) == (405, "wrong-method")
    assert wrong.headers["allow"] == "GET"
    assert kind(shop.get("/subscribers/99")) == "not-found"
    assert kind(shop.post("/holds", {"scope": "course", "target": "nothing"})) == "not-found"
    assert kind(shop.post("/subscribers", {"email": "no address"})) == "refused"
    large = shop.post("/subscribers", {"email": "a" * 2_000_000})
    assert (large.status_code, kind(large)) == (413, "too-large")


def test_asking_again_with_the_same_key_does_nothing_and_answers_the_same(
    shop: Program, sessions: Sessions
) -> None:
    asked = {"email": ADA, "name": "Ada"}
    first, again = shop.post("/subscribers", asked, key="one"), shop.post("/subscribers", asked, key="one")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    with session_scope(sessions) as session:
        done = select(func.count()).where(Action.what == "subscriber add")
        assert session.execute(done).scalar_one() == 1
        # Nothing about a person is in what is kept.
        assert ADA not in session.execute(select(KeptAnswer.body)).scalar_one()


def test_a_key_belongs_to_one_request_and_one_token(shop: Program, program: Callable[..., Program]) -> None:
    shop.post("/subscribers", {"email": ADA}, key="one")
    other = shop.post("/subscribers", {"email": BEN}, key="one")
    assert (other.status_code, kind(other)) == (422, "key-of-another")
    assert program().post("/subscribers", {"email": BEN}, key="one").status_code == 201


def test_what_was_refused_may_be_asked_again_with_its_key(shop: Program) -> None:
    asked = {"scope": "course", "target": "calm"}
    assert shop.post("/holds", asked, key="one").status_code == 404
    assert shop.post("/holds", asked, key="one").status_code == 404
    assert shop.post("/holds", {"scope": "everything"}, key="one").json() == {"changed": True}


def test_the_same_key_at_the_same_time_is_told_to_wait(shop: Program, sessions: Sessions) -> None:
    with session_scope(sessions) as session:
        token_id = session.execute(select(ApiToken.id)).scalar_one()
        # As the transaction of a first request holds it.
        lock = "SELECT pg_advisory_xact_lock(hashtextextended('kept answer ' || :token || ' one', 0))"
        session.execute(text(lock), {"token": str(token_id)})
        answer = shop.post("/subscribers", {"email": ADA}, key="one")
    assert (answer.status_code, kind(answer)) == (409, "key-in-use")
    assert shop.post("/subscribers", {"email": ADA}, key="one").status_code == 201


def test_many_at_once_with_one_key_do_it_once(shop: Program, sessions: Sessions) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(shop.post, "/subscribers", {"email": ADA}, key="one") for _ in range(8)]
        statuses = {one.result().status_code for one in asked}
    assert statuses <= {201, 409}
    with session_scope(sessions) as session:
        done = select(func.count()).where(Action.what == "subscriber add")
        assert session.execute(done).scalar_one() == 1


def test_a_key_is_free_again_after_a_day(shop: Program, sessions: Sessions) -> None:
    shop.post("/subscribers", {"email": ADA}, key="one")
    shop.post("/subscribers", {"email": ADA}, key="two")
    day_ago = func.clock_timestamp() - text("interval '24 hours 1 second'")
    with session_scope(sessions) as session:
        session.execute(update(KeptAnswer).values(at=day_ago))
    assert shop.post("/subscribers", {"email": BEN}, key="one").status_code == 201
    with session_scope(sessions) as session:
        assert forget_answers(session) == 1  # that of "two"; "one" is a new one by now
        assert forget_answers(session) == 0


def test_a_long_list_comes_in_parts_and_nobody_is_lost_or_told_twice(shop: Program) -> None:
    for email in (ADA, BEN, CLEO):
        shop.post("/subscribers", {"email": email})
    first = shop.get("/subscribers", limit=2).json()
    assert [one["email"] for one in first["items"]] == [ADA, BEN]
    shop.post("/subscribers", {"email": "dora@reader.example"})  # meanwhile
    rest = shop.get("/subscribers", limit=2, cursor=first["next"]).json()
    assert [one["email"] for one in rest["items"]] == [CLEO, "dora@reader.example"]
    assert rest["next"] is None
    for slug in ("a-b", "a", "ab"):
        shop.send("PUT", f"/lists/{slug}", {"title": slug})
    lists = shop.get("/lists", limit=2).json()
    assert [one["slug"] for one in lists["items"]] == ["a", "a-b"]
    last = shop.get("/lists", limit=2, cursor=lists["next"]).json()
    assert [one["slug"] for one in last["items"]] == ["ab"]


def test_every_list_is_answered_in_parts(shop: Program) -> None:
    shop.post("/holds", {"scope": "lane", "target": "course"})
    shop.post("/holds", {"scope": "lane", "target": "campaign"})
    first = shop.get("/holds", limit=1).json()
    rest = shop.get("/holds", limit=1, cursor=first["next"]).json()
    targets = [page["items"][0]["target"] for page in (first, rest)]
    assert (targets, rest["next"]) == (["course", "campaign"], None)
    paths = shop.get("/openapi.json").json()["paths"]
    whole = [
        path
        for path, methods in paths.items()
        for answer in [methods.get("get", {}).get("responses", {}).get("200", {})]
        if answer.get("content", {}).get("application/json", {}).get("schema", {}).get("type") == "array"
    ]
    # An A/B test has nine variants at most.
    assert [path.rpartition("/")[2] for path in whole] == ["variants"]


def test_a_cursor_is_of_one_list_and_not_to_be_made_up(shop: Program) -> None:
    for email in (ADA, BEN):
        shop.post("/subscribers", {"email": email})
    of_people = shop.get("/subscribers", limit=1).json()["next"]
    for cursor in (of_people, "x", "[[[[", "W10", "bnVsbA", "WyJsaXN0cyIsIDFd"):
        answer = shop.get("/lists", cursor=cursor)
        assert (answer.status_code, kind(answer)) == (400, "bad-request"), cursor
    assert kind(shop.get("/subscribers", limit=201)) == "not-valid"


def test_a_list_of_long_names_in_any_script_is_read_to_its_end(shop: Program) -> None:
    # 200 letters, as long as a tag may be; each spelled out as six they would not fit into a cursor.
    tags = [f"{letter}{'ж🙂' * 99}" for letter in ("б", "в", "г")]
    shop.post("/subscribers", {"email": ADA, "tags": tags})
    read: list[str] = []
    cursor = ""
    while not read or cursor:
        part = shop.get("/tags", limit=1, **({"cursor": cursor} if cursor else {}))
        assert part.status_code == 200, part.text
        read += [one["tag"] for one in part.json()["items"]]
        cursor = part.json()["next"]
    assert read == tags


def test_a_day_at_the_calendars_end_is_told(shop: Program) -> None:
    for day in ("9999-12-31", "0001-01-01"):
        assert kind(shop.get("/actions", day=day)) == "refused"


def test_a_token_that_asks_too_often_is_told_when_to_come_back(
    settings: Settings, sessions: Sessions, address: str
) -> None:
    slow = settings.model_copy(update={"api_per_minute": 3})
    token = token_for(sessions, Right.SEE)
    with (
        running_app(slow) as elsewhere,
        httpx.Client(base_url=f"{elsewhere}/api/v1", headers={"Authorization": f"Bearer {token}"}) as client,
    ):
        answers = [client.get("/me") for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"token";q=3;w=60'
    assert answers[0].headers["ratelimit"].startswith('"token";r=2;t=')
    assert kind(answers[3]) == "too-many"
    assert 1 <= int(answers[3].headers["retry-after"]) <= 60
    assert answers[3].headers["ratelimit"].startswith('"token";r=0;t=')


def test_a_broker_that_is_away_stops_no_request(settings: Settings, sessions: Sessions, address: str) -> None:
    without = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    token = token_for(sessions, Right.SEE)
    with running_app(without) as elsewhere:
        answer = httpx.get(f"{elsewhere}/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.json() == {"token": "the shop", "rights": ["see"]}
    assert answer.headers["ratelimit"].startswith('"token";r=599;')  # each process counts for itself


def test_no_answer_is_kept_by_a_cache(shop: Program) -> None:
    for answer in (shop.get("/me"), shop.get("/nothing")):
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_of_documentation_needs_no_other_site(address: str) -> None:
    answer = httpx.get(f"{address}/api/docs", timeout=60)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = answer.text
    for words in (
        "POST</span> <code>/subscribers",
        "Idempotency-Key",
        "problem-key-in-use",
        "Lists in parts",
    ):
        assert words in page, words
    # Other sites are named in examples; nothing is loaded from them, and nothing leads there.
    assert not re.search(r"""(?:src|href|action)=["']?https?://(?!127\.0\.0\.1)""", page)
    assert answer.num_bytes_downloaded < 100_000  # compressed


def test_a_token_whose_owner_lacks_the_second_factor_that_is_asked_for_opens_nothing(
    settings: Settings, sessions: Sessions, address: str
) -> None:
    bearer = {"Authorization": f"Bearer {token_for(sessions, Right.SEE)}"}
    with running_app(settings.replace(second_factor="owner")) as strict:
        answer = httpx.get(f"{strict}/api/v1/lists", headers=bearer)
        assert (answer.status_code, kind(answer)) == (403, "factor-needed")
        assert "has to set up a second factor" in answer.json()["detail"]
        with session_scope(sessions) as session:
            session.execute(update(Operator).values(totp_since=Operator.created_at, totp_sealed="sealed"))
        assert httpx.get(f"{strict}/api/v1/lists", headers=bearer).status_code == 200
