"""Campaigns as they are written, what is typed and not saved, and the approval by a second person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.create_table(
        "campaign_drafts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("files", postgresql.JSONB(), nullable=False),
        sa.Column("pictures", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("made_of", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("saved_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_campaign_drafts"),
        sa.UniqueConstraint("slug", name="uq_campaign_drafts_slug"),
    )
    op.create_index("ix_campaign_drafts_saved_at", "campaign_drafts", ["saved_at"])
    op.create_table(
        "campaign_typings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("draft_id", sa.BigInteger(), nullable=False),
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("as_subscriber_id", sa.BigInteger()),
        sa.Column("typed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["draft_id"], ["campaign_drafts.id"], name="fk_campaign_typings_draft_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name="fk_campaign_typings_operator_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_campaign_typings"),
        sa.UniqueConstraint(
            "draft_id", "operator_id", "file", name="uq_campaign_typings_draft_id_operator_id_file"
        ),
    )
    op.create_index("ix_campaign_typings_operator_id", "campaign_typings", ["operator_id"])
    op.add_column(
        "campaigns", sa.Column("scheduled_by", sa.Text(), server_default=sa.text("''"), nullable=False)
    )
    op.add_column("campaigns", sa.Column("scheduled_by_id", sa.BigInteger()))
    op.create_foreign_key(
        "fk_campaigns_scheduled_by_id",
        "campaigns",
        "operators",
        ["scheduled_by_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.add_column(
        "campaigns",
        sa.Column("awaits_approval", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("campaigns", sa.Column("approved_by", sa.Text()))


def downgrade() -> None:
    # What waits for an approval must not leave because nobody knows of approvals any more.
    op.execute("UPDATE campaigns SET state = 'draft', starts_at = NULL WHERE awaits_approval")
    op.drop_column("campaigns", "approved_by")
    op.drop_column("campaigns", "awaits_approval")
    op.drop_constraint("fk_campaigns_scheduled_by_id", "campaigns", type_="foreignkey")
    op.drop_column("campaigns", "scheduled_by_id")
    op.drop_column("campaigns", "scheduled_by")
    op.drop_table("campaign_typings")
    op.drop_table("campaign_drafts")
