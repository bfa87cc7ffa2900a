"""What becomes of a campaign's mail that its reader has no room for: as its author says, or as the house does."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("no_room", sa.Text(), server_default="", nullable=False))
    op.create_check_constraint(op.f("ck_campaigns_no_room"), "campaigns", "no_room IN ('', 'move', 'drop')")


def downgrade() -> None:
    op.drop_column("campaigns", "no_room")
