"""Series: campaigns that recur, by the calendar or from a feed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"

MOMENT = sa.DateTime(timezone=True)
JSONB = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.create_table(
        "series",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("template", JSONB, nullable=False),
        sa.Column("cadence", JSONB, nullable=False),
        sa.Column("list_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("aim", JSONB, server_default="{}", nullable=False),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("feed_url", sa.Text(), nullable=True),
        sa.Column("feed", JSONB, server_default="{}", nullable=False),
        sa.Column("next_on", sa.Date(), nullable=True),
        sa.Column("wakes_at", MOMENT, nullable=True),
        sa.Column("made", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("trouble", sa.Text(), server_default="", nullable=False),
        sa.Column("notice", sa.Text(), server_default="", nullable=False),
        sa.Column("looked_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state IN ('active', 'paused', 'ended')", name=op.f("ck_series_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
        sa.UniqueConstraint("slug", name=op.f("uq_series_slug")),
    )
    op.create_index(op.f("ix_series_wakes_at"), "series", ["wakes_at"])
    _occurrences()
    op.create_table(
        "series_items",
        sa.Column("series_id", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("twin", sa.Text(), server_default="", nullable=False),
        sa.Column("noted_at", MOMENT, nullable=False),
        sa.Column("occurrence_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.id"], name=op.f("fk_series_items_series_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["occurrence_id"],
            ["series_occurrences.id"],
            name=op.f("fk_series_items_occurrence_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("series_id", "fingerprint", name=op.f("pk_series_items")),
    )
    op.create_index(op.f("ix_series_items_occurrence_id"), "series_items", ["occurrence_id"])
    op.create_index(op.f("ix_series_items_series_id_twin"), "series_items", ["series_id", "twin"])


def _occurrences() -> None:
    op.create_table(
        "series_occurrences",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("series_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=True),
        sa.Column("items", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("words", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "outcome IN ('made', 'asks', 'nobody', 'nothing-new', 'taken')",
            name=op.f("ck_series_occurrences_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.id"], name=op.f("fk_series_occurrences_series_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_series_occurrences_campaign_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series_occurrences")),
        sa.UniqueConstraint("series_id", "day", name=op.f("uq_series_occurrences_series_id_day")),
    )
    op.create_index(op.f("ix_series_occurrences_campaign_id"), "series_occurrences", ["campaign_id"])


def downgrade() -> None:
    for name in ("series_items", "series_occurrences", "series"):
        op.drop_table(name)
