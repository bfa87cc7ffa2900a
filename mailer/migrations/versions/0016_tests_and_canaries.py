"""A campaign's variants and their test, its canary, and how far its phases are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"

CAUSES = "cause IN ('person', 'outage', 'fence', 'canary')"


def upgrade() -> None:
    jsonb = postgresql.JSONB(astext_type=sa.Text())
    for name in ("trial", "canary", "findings"):
        op.add_column("campaigns", sa.Column(name, jsonb, server_default="{}", nullable=False))
    op.add_column("campaigns", sa.Column("phase", sa.Text(), server_default="whole", nullable=False))
    op.create_check_constraint(
        op.f("ck_campaigns_phase"), "campaigns", "phase IN ('whole', 'canary', 'test', 'rest')"
    )
    op.add_column("campaigns", sa.Column("let_go_up_to", sa.BigInteger(), nullable=True))
    op.add_column("campaigns", sa.Column("waits_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("messages", sa.Column("sender_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_messages_sender_id"), "messages", "senders", ["sender_id"], ["id"])
    op.drop_constraint(op.f("ck_holds_cause"), "holds", type_="check")
    op.create_check_constraint(op.f("ck_holds_cause"), "holds", CAUSES)


def downgrade() -> None:
    op.execute("DELETE FROM holds WHERE cause = 'canary'")
    op.drop_constraint(op.f("ck_holds_cause"), "holds", type_="check")
    op.create_check_constraint(op.f("ck_holds_cause"), "holds", "cause IN ('person', 'outage', 'fence')")
    op.drop_constraint(op.f("fk_messages_sender_id"), "messages", type_="foreignkey")
    op.drop_column("messages", "sender_id")
    for name in ("waits_since", "let_go_up_to", "phase", "findings", "canary", "trial"):
        op.drop_column("campaigns", name)
