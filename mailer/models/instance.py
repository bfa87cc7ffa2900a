"""This installation itself: one row."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, LargeBinary, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from mailer.models.base import Base


class Instance(Base):
    """What the database knows of the installation that it belongs to; see `delivery/guard.py`.

    `stepped_at` is the demo's clock: while it is set, business time stands still there. Mails of what began
    before `kept_since` may have been dropped; see delivery/partitions.py. `token_hash` is that of the token
    kept outside the database, NULL until an installation has adopted it. `fence` only ever grows, and
    `seen_at` is the last sign of life, by the database's clock. `zone_rules` is the release of the zone rules
    that due moments were worked out by (launch/zone_rules.py).
    """

    __tablename__ = "instance"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    stepped_at: Mapped[datetime | None]
    kept_since: Mapped[datetime | None]
    database_id: Mapped[uuid.UUID | None]
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    fence: Mapped[int] = mapped_column(server_default="0")
    seen_at: Mapped[datetime | None]
    zone_rules: Mapped[str] = mapped_column(server_default="")

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)
