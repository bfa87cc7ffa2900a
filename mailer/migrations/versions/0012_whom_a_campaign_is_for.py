"""Whom of its lists a campaign is for, and at which hour of theirs it leaves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    jsonb = postgresql.JSONB(astext_type=sa.Text())
    for name in ("aim", "local"):
        op.add_column("campaigns", sa.Column(name, jsonb, server_default="{}", nullable=False))
    op.add_column("campaigns", sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("campaigns", sa.Column("passed_over", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    for name in ("passed_over", "begun_at", "local", "aim"):
        op.drop_column("campaigns", name)
