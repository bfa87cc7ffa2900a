"""By which release of the zone rules due moments were worked out, so that a new one has them worked out anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.add_column("instance", sa.Column("zone_rules", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("instance", "zone_rules")
