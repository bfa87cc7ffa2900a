"""Who works here: people with a login, how they prove who they are, and what programs may do for them.

No secret stands here as it is: passwords as Argon2 hashes, tokens as SHA-256 of 32 random bytes, what has
to be read again (the seed of one-time codes) sealed.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base, Key, one_of
from mailer.models.operations import Role


class Operator(Base):
    """A person with a login. `totp_sealed` is the seed of one-time codes, in force once `totp_since` is set.

    `oidc_subject` is who they are for the identity provider; `password_hash` is None for those who only
    come from there.
    """

    __tablename__ = "operators"

    id: Mapped[Key]
    email: Mapped[str]
    name: Mapped[str] = mapped_column(server_default="")
    role: Mapped[str]
    zone: Mapped[str] = mapped_column(server_default="UTC")
    theme: Mapped[str] = mapped_column(server_default="auto")
    password_hash: Mapped[str | None]
    totp_sealed: Mapped[str | None]
    totp_since: Mapped[datetime | None]
    totp_last: Mapped[int] = mapped_column(server_default="0")
    oidc_subject: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_operators_email", func.lower(text("email")), unique=True),
        one_of("role", Role),
    )


class OperatorSession(Base):
    """Somebody signed in at one browser, until `ended_at` or until it was not used for long.

    `needs_factor` while the password was right and the second factor is still to come.
    """

    __tablename__ = "operator_sessions"

    id: Mapped[Key]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    needs_factor: Mapped[bool]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    browser: Mapped[str] = mapped_column(server_default="")
    way: Mapped[str] = mapped_column(server_default="password")


class Passkey(Base):
    """A key of somebody's device (WebAuthn Level 3): its public half, and how often it was used."""

    __tablename__ = "passkeys"

    id: Mapped[Key]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(server_default="0")
    name: Mapped[str]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """A code for the day when the second factor is lost; each works once."""

    __tablename__ = "recovery_codes"

    id: Mapped[Key]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id", ondelete="CASCADE"), index=True)
    code_hash: Mapped[bytes]
    used_at: Mapped[datetime | None]


class Invitation(Base):
    """Somebody asked to work here in `role`; with `operator_id` a way back in for one who already does."""

    __tablename__ = "invitations"

    id: Mapped[Key]
    email: Mapped[str]
    role: Mapped[str]
    operator_id: Mapped[int | None] = mapped_column(
        ForeignKey("operators.id", ondelete="CASCADE"), index=True
    )
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    invited_by: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]

    __table_args__ = (one_of("role", Role),)


class ApiToken(Base):
    """What a program shows: it may what its owner may, and of that only its scopes (words of Right)."""

    __tablename__ = "api_tokens"

    id: Mapped[Key]
    operator_id: Mapped[int] = mapped_column(ForeignKey("operators.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    hint: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(JSONB)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
