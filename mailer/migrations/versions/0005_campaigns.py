"""Campaigns, and the mails that belong to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

KINDS = ("confirm", "welcome", "step")
SCOPES = ("everything", "lane", "sender", "domain", "course")


def upgrade() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("messages", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("list_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="draft", nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("written_up_to", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("audience", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("materialised_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'scheduled', 'sending', 'finished', 'cancelled')",
            name=op.f("ck_campaigns_state"),
        ),
        sa.ForeignKeyConstraint(["sender_id"], ["senders.id"], name=op.f("fk_campaigns_sender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("slug", name=op.f("uq_campaigns_slug")),
    )
    op.add_column("deliveries", sa.Column("campaign_id", sa.BigInteger(), nullable=True))
    _only("deliveries", "kind", (*KINDS, "campaign"))
    _only("holds", "scope", (*SCOPES, "campaign"))
    op.drop_index(op.f("ix_subscriptions_list_id_state"), table_name="subscriptions")
    op.create_index(
        op.f("ix_subscriptions_list_id_state_subscriber_id"),
        "subscriptions",
        ["list_id", "state", "subscriber_id"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_subscriptions_list_id_state_subscriber_id"), table_name="subscriptions")
    op.create_index(
        op.f("ix_subscriptions_list_id_state"), "subscriptions", ["list_id", "state"], unique=False
    )
    op.execute("DELETE FROM holds WHERE scope = 'campaign'")
    op.execute("DELETE FROM batches WHERE source LIKE 'campaign:%'")
    op.execute(
        "DELETE FROM attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE kind = 'campaign')"
    )
    for table in ("deliveries", "moves", "tallies"):
        op.execute(f"DELETE FROM {table} WHERE kind = 'campaign'")
    _only("holds", "scope", SCOPES)
    _only("deliveries", "kind", KINDS)
    op.drop_column("deliveries", "campaign_id")
    op.drop_table("campaigns")


def _only(table: str, column: str, words: tuple[str, ...]) -> None:
    """Let the column hold these words and no others."""
    name = f"ck_{table}_{column}"
    op.drop_constraint(op.f(name), table, type_="check")
    listed = ", ".join(f"'{word}'" for word in words)
    op.create_check_constraint(op.f(name), table, f"{column} IN ({listed})")
