"""The second factor: one-time codes (RFC 6238) by pyotp, and recovery codes for the day they are lost."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

import pyotp
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from mailer.accounts.operators import get_operator
from mailer.accounts.record import record
from mailer.accounts.rights import ROLES, Actor
from mailer.accounts.secrets import hashed
from mailer.errors import Refused
from mailer.models import Operator, OperatorSession, Passkey, RecoveryCode, Role
from mailer.sealing import Seal

STEP_SECONDS = 30
DRIFT = 1
"""Steps that a telephone's clock may be off by, to each side (RFC 6238 section 5.2)."""

CODES = 10
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of recovery codes: none that is taken for another."""

CODE_LENGTH = 16
"""79 bits: out of reach also for who has a copy of the hashes."""

ISSUER = "Steadypost"


class WrongCode(Refused):
    """The code does not fit."""

    def __init__(self) -> None:
        super().__init__("This code does not fit. Each works once; wait for the next one and try again.")


@dataclass(frozen=True)
class Seed:
    """What an app for one-time codes is given: as an address (in a QR code) and as letters to type."""

    uri: str
    letters: str


def has_factor(session: Session, operator: Operator) -> bool:
    """Whether they have to show a second factor: one-time codes or a passkey."""
    return operator.totp_since is not None or _has_passkey(session, operator.id)


def lacks_factor(session: Session, operator: Operator, least: str) -> bool:
    """Whether the setting asks for one that they have not set up; `least` is a role's word, or "optional"."""
    if least == "optional":
        return False
    is_asked = ROLES.index(Role(operator.role)) >= ROLES.index(Role(least))
    return is_asked and not has_factor(session, operator)


def _has_passkey(session: Session, operator_id: int) -> bool:
    return session.scalar(select(Passkey.id).where(Passkey.operator_id == operator_id).limit(1)) is not None


def begin_totp(session: Session, actor: Actor, seal: Seal) -> Seed:
    """A new seed, in force once `confirm_totp` got a code of it. Raises Refused while one is in force."""
    operator = _locked(session, actor)
    if operator.totp_since is not None:
        raise Refused("One-time codes are on already; turn them off first to change the app.")
    letters = pyotp.random_base32()
    operator.totp_sealed = seal.close(letters)
    return _seed(operator, letters)


def pending_seed(session: Session, actor: Actor, seal: Seal) -> Seed:
    """The seed that waits for its first code; raises Refused when there is none."""
    operator = _locked(session, actor)
    if operator.totp_sealed is None or operator.totp_since is not None:
        raise Refused("Begin again: there is no code to be entered now.")
    return _seed(operator, seal.open(operator.totp_sealed, "one-time codes"))


def _seed(operator: Operator, letters: str) -> Seed:
    return Seed(pyotp.TOTP(letters).provisioning_uri(name=operator.email, issuer_name=ISSUER), letters)


def confirm_totp(session: Session, actor: Actor, seal: Seal, code: str, now: datetime) -> list[str]:
    """Turn one-time codes on; raises WrongCode. Recovery codes come with the first second factor."""
    pending_seed(session, actor, seal)
    operator = _locked(session, actor)
    if not _is_next_code(operator, seal, code, now):
        raise WrongCode
    operator.totp_since = now
    record(session, actor, "second factor on", 1, kind="one-time codes")
    return codes_for_first(session, operator.id)


def end_totp(session: Session, actor: Actor) -> None:
    """Turn one-time codes off; the recovery codes go with the last second factor."""
    operator = _locked(session, actor)
    if operator.totp_sealed is None:
        return
    operator.totp_sealed = operator.totp_since = None
    record(session, actor, "second factor off", 1, kind="one-time codes")
    drop_codes_of_none(session, operator)


def codes_for_first(session: Session, operator_id: int) -> list[str]:
    """Recovery codes for who has none; empty for who has some already."""
    return [] if codes_left(session, operator_id) else new_codes(session, operator_id)


def new_codes(session: Session, operator_id: int) -> list[str]:
    """Recovery codes in place of those from before, to be shown once."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.operator_id == operator_id))
    codes = [_new_code() for _ in range(CODES)]
    session.add_all(RecoveryCode(operator_id=operator_id, code_hash=hashed(_bare(code))) for code in codes)
    session.flush()
    return codes


def codes_left(session: Session, operator_id: int) -> int:
    """How many recovery codes still work."""
    asked = select(func.count()).select_from(RecoveryCode)
    return session.scalar(asked.where(*_unused(operator_id))) or 0


def drop_codes_of_none(session: Session, operator: Operator) -> None:
    """Recovery codes are of no use, and a risk, without a second factor that they stand in for."""
    if not has_factor(session, operator):
        session.execute(delete(RecoveryCode).where(RecoveryCode.operator_id == operator.id))


def give_code(session: Session, actor: Actor, seal: Seal, code: str, now: datetime) -> None:
    """Finish signing in with a one-time code or a recovery code; raises WrongCode."""
    operator = _locked(session, actor)
    if not _is_next_code(operator, seal, code, now) and not _use_recovery(session, actor, code, now):
        raise WrongCode
    complete(session, actor)


def complete(session: Session, actor: Actor) -> None:
    """The second factor was shown in this session."""
    session.execute(
        update(OperatorSession).where(OperatorSession.id == actor.session_id).values(needs_factor=False)
    )


def _is_next_code(operator: Operator, seal: Seal, code: str, now: datetime) -> bool:
    """Whether it is a code of now, and newer than the last that was used: who looked on cannot repeat it."""
    if operator.totp_sealed is None:
        return False
    given = "".join(code.split())
    totp = pyotp.TOTP(seal.open(operator.totp_sealed, "one-time codes"))
    step = int(now.timestamp()) // STEP_SECONDS
    for counter in range(step - DRIFT, step + DRIFT + 1):
        fits = secrets.compare_digest(totp.generate_otp(counter).encode(), given.encode("utf-8", "replace"))
        if fits and counter > operator.totp_last:
            operator.totp_last = counter
            return True
    return False


def _use_recovery(session: Session, actor: Actor, code: str, now: datetime) -> bool:
    used = session.scalars(
        update(RecoveryCode)
        .where(*_unused(actor.operator_id or 0), RecoveryCode.code_hash == hashed(_bare(code)))
        .values(used_at=now)
        .returning(RecoveryCode.id)
    ).all()
    if used:
        record(session, actor, "recovery code use", 1, left=codes_left(session, actor.operator_id or 0))
    return bool(used)


def _unused(operator_id: int) -> tuple[ColumnElement[bool], ...]:
    return (RecoveryCode.operator_id == operator_id, RecoveryCode.used_at.is_(None))


def _locked(session: Session, actor: Actor) -> Operator:
    """Oneself, locked: a code that is sent twice at once counts once."""
    operator = get_operator(session, actor.operator_id or 0)
    session.refresh(operator, with_for_update=True)
    return operator


def _new_code() -> str:
    letters = "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
    return "-".join(letters[start : start + 4] for start in range(0, CODE_LENGTH, 4))


def _bare(code: str) -> str:
    """As it counts: without case, hyphens and spaces."""
    return "".join(letter for letter in code.lower() if letter.isalnum())
