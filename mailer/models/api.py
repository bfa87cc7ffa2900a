"""What programs asked for by the API: an answer is kept for a day, so that asking again does nothing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, SmallInteger, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base, Key


class KeptAnswer(Base):
    """What a request with an Idempotency-Key was answered.

    `digest` is of the request, so that the same key with another request is told apart. Answers name people
    by their ids, so nothing about a person is left here when they are erased. `at` is the database's clock.
    """

    __tablename__ = "kept_answers"

    id: Mapped[Key]
    token_id: Mapped[int] = mapped_column(ForeignKey("api_tokens.id", ondelete="CASCADE"))
    key: Mapped[str]
    digest: Mapped[bytes]
    status: Mapped[int] = mapped_column(SmallInteger)
    body: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), index=True)

    __table_args__ = (UniqueConstraint("token_id", "key"),)
