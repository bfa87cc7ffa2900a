"""Domains that are one provider's."""

from __future__ import annotations

import pytest

from mailer.delivery.domains import GROUPS, domains_of, group_of


@pytest.mark.parametrize(
    ("domain", "group"),
    [
        ("googlemail.com", "gmail"),
        ("Hotmail.COM", "outlook"),
        ("msn.com", "outlook"),
        ("aol.com", "yahoo"),
        ("me.com", "icloud"),
        ("web.de", "gmx"),
        ("t-online.de", "t-online"),
        ("example.org", "example.org"),
        ("mail.gmail.com", "mail.gmail.com"),
    ],
)
def test_a_domain_belongs_to_its_provider_or_is_its_own_group(domain: str, group: str) -> None:
    assert group_of(domain) == group


def test_no_domain_is_in_two_groups_and_no_group_is_named_like_a_domain() -> None:
    every = [domain for domains in GROUPS.values() for domain in domains]
    assert len(every) == len(set(every))
    assert not set(GROUPS) & set(every)
    assert set(domains_of("gmail")) == {"gmail.com", "googlemail.com"}
    assert domains_of("example.org") == ("example.org",)
