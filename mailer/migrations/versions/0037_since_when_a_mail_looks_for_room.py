"""Since when a campaign's mail has looked for room under the cap: what was paused has not looked at all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("no_room_since", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("deliveries", "no_room_since")
