"""Why a lesson left when it did and as it did, and up to which day a course's triggers were asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("because", sa.Text()))
    op.add_column("courses", sa.Column("triggers_asked_on", sa.Date()))


def downgrade() -> None:
    op.drop_column("courses", "triggers_asked_on")
    op.drop_column("deliveries", "because")
