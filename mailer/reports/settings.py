"""Every setting in words: what it means, what it is, where that comes from. Secrets are never told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailer.settings import PREFIX, Choices, Origin, Settings

MEANING: Mapping[str, Mapping[str, str]] = {
    "Where things are": {
        "base_url": "The public address of this site: links in mails begin with it.",
        "database_url": "The PostgreSQL that everything is kept in. Left out: one of our own.",
        "redis_url": "The Redis that workers are told of work by. Left out: one of our own.",
        "smtp_url": "The mail server of the transport “default”. Left out: the local mailbox.",
        "data_dir": "The folder of drafts, journals, logs and what Steadypost runs itself.",
    },
    "Keys": {
        "secret_key": "Signs links and seals passwords. Older keys after a comma still verify and open.",
        "instance_token": "Tells this installation’s database from a copy; the same for all its machines.",
    },
    "Sending": {
        "hold_after_hours": "How long an outage may last, and mail be overdue, before course and campaign "
        "mail is held until somebody chooses.",
        "after_cut": "By lane, what becomes of a mail whose server never answered its end: sent once more "
        "with the same Message-ID, or held as uncertain.",
        "keep_months": "How many months of mails are kept; older ones are dropped whole, their sums stay.",
        "approval": "Whether a second person has to approve a campaign before it leaves: off, or campaigns.",
        "fetch_allow": "Hosts and networks that may be fetched from or called though they are not public.",
    },
    "Addresses that cannot be reached": {
        "soft_bounces": "After how many mails in a row, given up because a mailbox was full, disabled or not "
        "found, its address is not mailed for a while; 0: never.",
        "soft_bounce_days": "The days that those must be spread over at least.",
        "suppression_days": "By reason, after how many days a suppression ends by itself.",
        "lifted_by": "By reason, who may lift a suppression, and all above them.",
    },
    "Signing in": {
        "second_factor": "Who has to have a second factor to do anything: this role and all above it.",
        "oidc_issuer": "The OpenID Connect provider that people may sign in with.",
        "oidc_client_id": "What Steadypost is called there.",
        "oidc_client_secret": "Its secret there; none for a public client.",
        "oidc_name": "What the button says after “Sign in with”.",
        "oidc_scopes": "What is asked of the provider.",
        "oidc_roles": "Who may come without an invitation, by what the provider says of them.",
    },
    "Logs and programs": {
        "log_format": "How workers, beat and web write their logs.",
        "api_per_minute": "How many requests each API token may make in a minute.",
    },
}
"""Every field of Settings, in groups; the README has the same with examples."""


@dataclass(frozen=True)
class Told:
    """One setting. `shown` is its value, or of a secret whether it is set."""

    name: str
    meaning: str
    shown: str
    origin: Origin
    is_secret: bool

    @property
    def variable(self) -> str:
        """How it is called in the environment."""
        return PREFIX + self.name.upper()


def tell_settings(settings: Settings) -> Mapping[str, Sequence[Told]]:
    """All of them, in the groups of MEANING."""
    return {
        group: [_told(settings, name, meaning) for name, meaning in fields.items()]
        for group, fields in MEANING.items()
    }


def _told(settings: Settings, name: str, meaning: str) -> Told:
    # What must not be in a log, a traceback or a repr must not be on a page either.
    is_secret = not Settings.model_fields[name].repr
    value = getattr(settings, name)
    shown = ("set" if value else "not set") if is_secret else _words(value)
    return Told(name, meaning, shown, settings.origin_of(name), is_secret)


def _words(value: object) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, Choices):
        return str(value).replace(",", ", ")
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
