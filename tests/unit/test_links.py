"""Signed links: whose they are, how long they hold, and that they cannot be made up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.links import BadLink, ExpiredLink, Signer

NOW = datetime(2026, 3, 2, 7, tzinfo=UTC)
OLD, NEW = "the key of last year, which was long", "the key of this year, which is longer"


@given(st.integers(0, 2**63 - 1))
def test_a_token_leads_back_to_its_delivery(delivery_id: int) -> None:
    signer = Signer([NEW])
    assert signer.delivery_id(signer.delivery_token(delivery_id)) == delivery_id


def test_a_mail_of_last_year_still_unsubscribes_after_the_key_was_changed() -> None:
    assert Signer([NEW, OLD]).delivery_id(Signer([OLD]).delivery_token(7)) == 7


def test_a_token_of_a_forgotten_key_is_refused() -> None:
    with pytest.raises(BadLink):
        Signer([NEW]).delivery_id(Signer([OLD]).delivery_token(7))


@pytest.mark.parametrize("token", ["", "x", "AAAA", "ä", "a" * 300, "../..", "!!!!"])
def test_a_made_up_token_is_refused(token: str) -> None:
    with pytest.raises(BadLink):
        Signer([NEW]).delivery_id(token)


def test_a_changed_token_is_refused() -> None:
    signer = Signer([NEW])
    token = signer.delivery_token(1234)
    changed = ("A" if token[0] != "A" else "B") + token[1:]
    with pytest.raises(BadLink):
        signer.delivery_id(changed)


def test_a_token_for_one_purpose_does_not_serve_another() -> None:
    signer = Signer([NEW])
    with pytest.raises(BadLink):
        signer.confirm_subscription(signer.delivery_token(2**47), NOW)


def test_a_confirmation_link_runs_out() -> None:
    signer = Signer([NEW])
    token = signer.confirm_token(5, NOW + timedelta(days=14))
    assert signer.confirm_subscription(token, NOW + timedelta(days=13)) == 5
    with pytest.raises(ExpiredLink):
        signer.confirm_subscription(token, NOW + timedelta(days=15))
