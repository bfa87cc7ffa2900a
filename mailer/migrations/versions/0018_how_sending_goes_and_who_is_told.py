"""How sending went over time, why mails were refused, and who is told when something is wrong."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.add_column("attempts", sa.Column("kind", sa.Text(), server_default="", nullable=False))
    op.add_column("attempts", sa.Column("transport_id", sa.BigInteger(), nullable=True))
    op.create_index("ix_attempts_kind_at", "attempts", ["kind", "at"])
    op.create_index("ix_attempts_transport_id_at", "attempts", ["transport_id", "at"])
    op.create_index(
        "ix_suppressions_complaints",
        "suppressions",
        ["at"],
        postgresql_where=sa.text("reason = 'complaint'"),
    )
    op.create_table(
        "lane_samples",
        sa.Column("span", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("put_off", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("waiting", sa.BigInteger(), nullable=False),
        sa.Column("set_aside", sa.BigInteger(), nullable=False),
        sa.Column("oldest", sa.Float(), nullable=False),
        sa.CheckConstraint(
            "lane IN ('transactional', 'course', 'campaign')", name=op.f("ck_lane_samples_lane")
        ),
        sa.CheckConstraint("span IN ('minute', 'hour')", name=op.f("ck_lane_samples_span")),
        sa.PrimaryKeyConstraint("span", "at", "lane", name=op.f("pk_lane_samples")),
    )
    op.create_table(
        "alarm_channels",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('webhook', 'mail')", name=op.f("ck_alarm_channels_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_channels")),
    )
    op.create_table(
        "alarms",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), server_default="", nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("transport_id", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("missing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
    )
    op.create_index(op.f("ix_alarms_opened_at"), "alarms", ["opened_at"])
    op.create_index(
        "uq_alarms_unresolved",
        "alarms",
        ["kind", "target"],
        unique=True,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "alarm_notes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("alarm_id", sa.BigInteger(), nullable=True),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("what IN ('opened', 'resolved', 'test')", name=op.f("ck_alarm_notes_what")),
        sa.ForeignKeyConstraint(
            ["alarm_id"], ["alarms.id"], name=op.f("fk_alarm_notes_alarm_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["alarm_channels.id"],
            name=op.f("fk_alarm_notes_channel_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_notes")),
        sa.UniqueConstraint(
            "channel_id", "alarm_id", "what", name=op.f("uq_alarm_notes_channel_id_alarm_id_what")
        ),
    )
    op.create_index(op.f("ix_alarm_notes_alarm_id"), "alarm_notes", ["alarm_id"])
    op.create_index(
        "ix_alarm_notes_due",
        "alarm_notes",
        ["next_try_at"],
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    )


def downgrade() -> None:
    for table in ("alarm_notes", "alarms", "alarm_channels", "lane_samples"):
        op.drop_table(table)
    op.drop_index("ix_suppressions_complaints", table_name="suppressions")
    op.drop_index("ix_attempts_transport_id_at", table_name="attempts")
    op.drop_index("ix_attempts_kind_at", table_name="attempts")
    op.drop_column("attempts", "transport_id")
    op.drop_column("attempts", "kind")
