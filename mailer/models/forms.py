"""Sign-up forms: pages by which people put themselves on a list."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, func, text
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base, Key


class SignUpForm(Base):
    """A form. `consent` are the words that people agree to by it; `is_health`: that also says something about
    their health, so they have to say yes to it by itself. Nobody signs up by one after `closed_at`.
    """

    __tablename__ = "forms"

    id: Mapped[Key]
    slug: Mapped[str] = mapped_column(unique=True)
    list_id: Mapped[int] = mapped_column(ForeignKey("lists.id"), index=True)
    language: Mapped[str] = mapped_column(server_default=text("'en'"))
    title: Mapped[str]
    words: Mapped[str] = mapped_column(server_default=text("''"))
    asks_name: Mapped[bool] = mapped_column(server_default=text("false"))
    consent: Mapped[str]
    is_health: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]


class WaitingName(Base):
    """A name that a visitor gave with an address that nobody has confirmed to be theirs yet.

    It becomes the subscriber's when they confirm; before that no mail may carry it, because anybody can have
    typed it.
    """

    __tablename__ = "waiting_names"

    subscription_id: Mapped[int] = mapped_column(
        ForeignKey("subscriptions.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    name: Mapped[str]
    at: Mapped[datetime]
