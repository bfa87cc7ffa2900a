"""Which release is at work on a hold: of two that are begun, the later one goes on, and the other stops."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    op.add_column("holds", sa.Column("release_action_id", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("holds", "release_action_id")
