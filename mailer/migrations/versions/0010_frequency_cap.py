"""How many mails somebody gets at most."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "frequency_cap",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("per_day", sa.SmallInteger(), nullable=True),
        sa.Column("per_week", sa.SmallInteger(), nullable=True),
        sa.Column("quiet_from", sa.Time(), nullable=True),
        sa.Column("quiet_until", sa.Time(), nullable=True),
        sa.Column("losing", sa.Text(), server_default="move", nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_frequency_cap_id")),
        sa.CheckConstraint("losing IN ('move', 'drop')", name=op.f("ck_frequency_cap_losing")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_frequency_cap")),
    )


def downgrade() -> None:
    op.drop_table("frequency_cap")
