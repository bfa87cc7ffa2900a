"""Suppressions that end by themselves, and a count of soft bounces in a row."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

BEFORE = "reason IN ('hard-bounce', 'complaint', 'unsubscribed-from-everything', 'manual')"
AFTER = "reason IN ('hard-bounce', 'soft-bounce', 'complaint', 'unsubscribed-from-everything', 'manual')"


def upgrade() -> None:
    op.add_column("suppressions", sa.Column("until", sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f("ck_suppressions_reason"), "suppressions", type_="check")
    op.create_check_constraint(op.f("ck_suppressions_reason"), "suppressions", AFTER)
    op.create_table(
        "soft_bounces",
        sa.Column("subscriber_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bounces", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_soft_bounces_subscriber_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_soft_bounces")),
    )


def downgrade() -> None:
    op.drop_table("soft_bounces")
    # The version before would keep these for good.
    op.execute("DELETE FROM suppressions WHERE reason = 'soft-bounce' OR until IS NOT NULL")
    op.drop_constraint(op.f("ck_suppressions_reason"), "suppressions", type_="check")
    op.create_check_constraint(op.f("ck_suppressions_reason"), "suppressions", BEFORE)
    op.drop_column("suppressions", "until")
