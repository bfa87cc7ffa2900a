"""Acts on many mails whose part failed: how often and when, so that others have their turn meanwhile."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    op.add_column(
        "bulk_acts", sa.Column("failures", sa.SmallInteger(), server_default=sa.text("'0'"), nullable=False)
    )
    op.add_column("bulk_acts", sa.Column("failed_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("bulk_acts", "failed_at")
    op.drop_column("bulk_acts", "failures")
