"""Passkeys (WebAuthn Level 3) by the webauthn library: kept for a person, and enough to sign in with.

The device asks for a finger, a face or its PIN each time (user verification): two factors in one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from mailer.accounts.factor import codes_for_first, complete, drop_codes_of_none
from mailer.accounts.operators import get_operator
from mailer.accounts.record import record
from mailer.accounts.rights import Actor
from mailer.accounts.sessions import begin_session
from mailer.errors import NotFound, Refused
from mailer.models import Passkey

MOST = 20
"""Passkeys of one person."""

UNREADABLE = (WebAuthnException, ValueError, LookupError, TypeError)
"""What the library raises at answers that are wrong, and at those that are no answers at all."""


class PasskeyRefused(Refused):
    """This passkey did not fit."""

    def __init__(self) -> None:
        super().__init__("This passkey did not fit, or the question was too old. Try again.")


@dataclass(frozen=True)
class Site:
    """What passkeys are bound to: the host's name, and the address that browsers show."""

    host: str
    origin: str


@dataclass(frozen=True)
class Asked:
    """A question to a browser: what it is given, and what its answer must repeat."""

    options: str
    challenge: bytes


@dataclass(frozen=True)
class Answer:
    """What a browser answered, and the question that it belongs to."""

    challenge: bytes
    asked_at: datetime
    text: str


def site_of(base_url: str) -> Site | None:
    """The site for passkeys, or None where browsers know none: at a bare number, and without TLS."""
    where = urlsplit(base_url)
    host = where.hostname or ""
    is_local = host == "localhost" or host.endswith(".localhost")
    if _is_number(host) or not (where.scheme == "https" or is_local):
        return None
    return Site(host, f"{where.scheme}://{where.netloc}")


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def list_passkeys(session: Session, operator_id: int) -> Sequence[Passkey]:
    """Somebody's passkeys, oldest first."""
    asked = select(Passkey).where(Passkey.operator_id == operator_id).order_by(Passkey.id)
    return session.scalars(asked).all()


def ask_for_new(session: Session, actor: Actor, site: Site) -> Asked:
    """What a browser needs to make a passkey that its device does not have yet."""
    operator = get_operator(session, actor.operator_id or 0)
    made = generate_registration_options(
        rp_id=site.host,
        rp_name="Steadypost",
        user_id=f"operator {operator.id}".encode(),
        user_name=operator.email,
        user_display_name=operator.name or operator.email,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=key.credential_id) for key in list_passkeys(session, operator.id)
        ],
    )
    return Asked(options_to_json(made), made.challenge)


def add_passkey(
    session: Session, actor: Actor, site: Site, answer: Answer, name: str, now: datetime
) -> list[str]:
    """Keep the passkey that a browser made; recovery codes when it is the first second factor.

    Raises PasskeyRefused, and Refused without a name or with too many.
    """
    operator = get_operator(session, actor.operator_id or 0)
    named = " ".join(name.split())[:100]
    if not named:
        raise Refused("Give the passkey a name that says which device has it.")
    if len(list_passkeys(session, operator.id)) >= MOST:
        raise Refused(f"You have {MOST} passkeys; remove one that is not used any more.")
    try:
        made = verify_registration_response(
            credential=answer.text,
            expected_challenge=answer.challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except UNREADABLE:
        raise PasskeyRefused from None
    if session.scalar(select(Passkey.id).where(Passkey.credential_id == made.credential_id)):
        raise Refused("This passkey is kept already.")
    session.add(
        Passkey(
            operator_id=operator.id,
            credential_id=made.credential_id,
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
            name=named,
            created_at=now,
        )
    )
    session.flush()
    record(session, actor, "second factor on", 1, kind="passkey", passkey=named)
    return codes_for_first(session, operator.id)


def remove_passkey(session: Session, actor: Actor, passkey_id: int) -> str:
    """Forget one of one's own passkeys; its name. Raises NotFound."""
    key = session.get(Passkey, passkey_id)
    if key is None or key.operator_id != actor.operator_id:
        raise NotFound("There is no such passkey of yours.")
    session.delete(key)
    session.flush()
    record(session, actor, "second factor off", 1, kind="passkey", passkey=key.name)
    drop_codes_of_none(session, get_operator(session, key.operator_id))
    return key.name


def ask_for_one(site: Site) -> Asked:
    """What a browser needs to show a passkey, of whoever has one: it says itself whose it is."""
    made = generate_authentication_options(
        rp_id=site.host, user_verification=UserVerificationRequirement.REQUIRED
    )
    return Asked(options_to_json(made), made.challenge)


def sign_in_with(session: Session, site: Site, answer: Answer, now: datetime, *, browser: str) -> str:
    """The secret for the cookie of a new session; raises PasskeyRefused."""
    key = _shown(session, site, answer, now)
    operator = get_operator(session, key.operator_id)
    if operator.disabled_at is not None:
        raise PasskeyRefused
    return begin_session(session, operator, now, needs_factor=False, browser=browser, way="passkey")


def give_passkey(session: Session, actor: Actor, site: Site, answer: Answer, now: datetime) -> None:
    """Finish signing in with a passkey as the second factor; raises PasskeyRefused."""
    if _shown(session, site, answer, now).operator_id != actor.operator_id:
        raise PasskeyRefused
    complete(session, actor)


def _shown(session: Session, site: Site, answer: Answer, now: datetime) -> Passkey:
    """The passkey that answered; an answer counts once, since only a later question can have another."""
    try:
        credential = parse_authentication_credential_json(answer.text)
    except UNREADABLE:
        raise PasskeyRefused from None
    key = session.scalar(select(Passkey).where(Passkey.credential_id == credential.raw_id).with_for_update())
    if key is None or (key.used_at is not None and key.used_at >= answer.asked_at):
        raise PasskeyRefused
    try:
        checked = verify_authentication_response(
            credential=credential,
            expected_challenge=answer.challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=key.public_key,
            credential_current_sign_count=key.sign_count,
            require_user_verification=True,
        )
    except UNREADABLE:
        raise PasskeyRefused from None
    key.sign_count, key.used_at = checked.new_sign_count, now
    return key
