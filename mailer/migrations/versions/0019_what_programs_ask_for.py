"""Answers to programs that are kept for a day, and mails that programs send to one person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

KINDS = "'confirm', 'welcome', 'step', 'repeat', 'campaign'"


def upgrade() -> None:
    op.create_table(
        "kept_answers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("token_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["token_id"], ["api_tokens.id"], name=op.f("fk_kept_answers_token_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_answers")),
        sa.UniqueConstraint("token_id", "key", name=op.f("uq_kept_answers_token_id_key")),
    )
    op.create_index(op.f("ix_kept_answers_at"), "kept_answers", ["at"], unique=False)
    _allow(f"{KINDS}, 'mail'")


def downgrade() -> None:
    op.drop_table("kept_answers")
    # What programs sent has no other kind; it goes, as its rows could not be there.
    op.execute("DELETE FROM deliveries WHERE kind = 'mail'")
    _allow(KINDS)


def _allow(kinds: str) -> None:
    """Let deliveries be of these kinds. Reads every row once, some seconds for ten million."""
    op.execute("ALTER TABLE deliveries DROP CONSTRAINT ck_deliveries_kind")
    op.execute(f"ALTER TABLE deliveries ADD CONSTRAINT ck_deliveries_kind CHECK (kind IN ({kinds}))")
