"""Whether a person followed a link, by rules that each have a name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailer.feedback.clicks import network_of
from mailer.feedback.verdicts import DECOY, OPEN, Request, Visits, rules_of, verdict_of
from mailer.models import Verdict

ACCEPTED = datetime(2026, 3, 2, 8, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def at(seconds: float, link: int = 0, method: str = "GET", agent: str = FIREFOX) -> Request:
    return Request(ACCEPTED + timedelta(seconds=seconds), link, method, agent)


def judged(*requests: Request, links: int = 3, accepted_at: datetime | None = ACCEPTED) -> list[set[str]]:
    visits = Visits(accepted_at, links, requests)
    return [set(rules_of(request, visits)) for request in requests]


@pytest.mark.parametrize(
    ("request_", "rules"),
    [
        (at(60), set()),
        (at(60, method="HEAD"), {"head"}),
        (at(9.9), {"too-soon"}),
        (at(10), set()),
        (at(-2), {"too-soon"}),  # while the server still makes up its mind
        (at(60, agent=""), {"scanner"}),
        (at(60, agent="Mozilla/5.0 (compatible; bingbot/2.0)"), {"scanner"}),
        (at(60, agent="python-requests/2.32"), {"scanner"}),
        (at(60, agent="Mozilla/5.0 (Linux; Android 12; CUBOT NOTE 30)"), set()),  # a telephone
        (at(60, DECOY), {"decoy"}),
        (at(60, OPEN), {"open"}),
        (at(3, 1, "HEAD", "curl/8.5"), {"head", "too-soon", "scanner"}),
    ],
)
def test_what_one_request_says(request_: Request, rules: set[str]) -> None:
    assert judged(request_) == [rules]


def test_any_rule_makes_it_a_machine_and_none_a_person() -> None:
    assert verdict_of(()) == Verdict.PERSON
    assert verdict_of(("head",)) == Verdict.MACHINE


def test_all_links_within_five_seconds_were_a_machine_the_first_ones_too() -> None:
    # 60, 62 and 65: five seconds from the first to the last. The one at 61 is in the middle of it.
    assert judged(at(60, 0), at(61, 0), at(62, 1), at(65, 2)) == [{"all-links"}] * 4


def test_all_links_within_a_minute_may_be_a_keen_reader() -> None:
    assert judged(at(60, 0), at(63, 1), at(65.1, 2)) == [set(), set(), set()]


def test_a_reader_who_comes_after_the_machine_is_a_person() -> None:
    assert judged(at(60, 0), at(61, 1), at(62, 2), at(900, 1))[-1] == set()


def test_the_only_link_of_a_mail_is_no_burst() -> None:
    assert judged(at(60), links=1) == [set()]


def test_who_follows_the_decoy_is_a_machine_in_what_else_it_does_then() -> None:
    assert judged(at(60, 0), at(62, DECOY), at(900, 0)) == [{"decoy"}, {"decoy"}, set()]


def test_a_mail_of_unknown_acceptance_is_not_too_soon() -> None:
    assert judged(at(1), accepted_at=None) == [set()]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::5", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("testclient", ""),
    ],
)
def test_only_the_network_of_an_address_is_kept(address: str, network: str) -> None:
    assert network_of(address) == network
