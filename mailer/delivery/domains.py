"""Domain groups: domains whose mail arrives at one provider, which counts what we send to all of them."""

from __future__ import annotations

GROUPS: dict[str, tuple[str, ...]] = {
    # https://support.google.com/mail/answer/10313: one mailbox, two names.
    "gmail": ("gmail.com", "googlemail.com"),
    # https://sendersupport.olc.protection.outlook.com/pm/policies.aspx: Outlook.com and its older names.
    "outlook": (
        *("outlook.com", "hotmail.com", "live.com", "msn.com", "outlook.de", "outlook.fr", "outlook.es"),
        *("outlook.it", "hotmail.co.uk", "hotmail.de", "hotmail.fr", "hotmail.it", "hotmail.es"),
        *("live.co.uk", "live.de", "live.fr", "live.nl", "live.it"),
    ),
    # https://senders.yahooinc.com/faqs/: Yahoo, AOL and the domains they run.
    "yahoo": (
        *("yahoo.com", "ymail.com", "rocketmail.com", "aol.com", "aim.com", "yahoo.co.uk", "yahoo.de"),
        *("yahoo.fr", "yahoo.it", "yahoo.es", "yahoo.ca", "yahoo.in", "yahoo.co.in", "yahoo.com.br"),
        *("aol.co.uk", "aol.de", "aol.fr"),
    ),
    # https://support.apple.com/en-us/102322: an address of each of the three is the same mailbox.
    "icloud": ("icloud.com", "me.com", "mac.com"),
    # https://postmaster.gmx.net and https://postmaster.web.de: one house, one pair of mail servers' rules.
    "gmx": ("gmx.de", "gmx.net", "gmx.at", "gmx.ch", "gmx.com", "web.de"),
    # https://postmaster.t-online.de
    "t-online": ("t-online.de", "magenta.de"),
}
"""Any other domain is a group of its own, under its own name; so is a subdomain."""

_GROUP_OF = {domain: group for group, domains in GROUPS.items() for domain in domains}


def group_of(domain: str) -> str:
    """The group that a recipient's domain belongs to; letters may be large or small."""
    domain = domain.lower()
    return _GROUP_OF.get(domain, domain)


def domains_of(group: str) -> tuple[str, ...]:
    """Every domain of a group."""
    return GROUPS.get(group, (group,))
