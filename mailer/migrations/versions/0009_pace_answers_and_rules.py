"""What readers choose and answer, and what a course does by rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"

KINDS = ("confirm", "welcome", "step", "campaign")


def upgrade() -> None:
    jsonb, ids = postgresql.JSONB(astext_type=sa.Text()), postgresql.ARRAY(sa.BigInteger())
    op.add_column("courses", sa.Column("flow", jsonb, server_default="{}", nullable=False))
    for name in ("timing", "languages"):
        op.add_column("steps", sa.Column(name, jsonb, server_default="{}", nullable=False))
    for name in ("condition", "instead_of", "easier_than"):
        op.add_column("steps", sa.Column(name, sa.Text(), server_default="", nullable=False))
    op.add_column("enrollments", sa.Column("gap", sa.SmallInteger(), nullable=True))
    op.add_column("enrollments", sa.Column("send_time", sa.Time(), nullable=True))
    op.add_column("enrollments", sa.Column("weekdays", sa.SmallInteger(), nullable=True))
    op.add_column("enrollments", sa.Column("paused_until", sa.Date(), nullable=True))
    op.add_column("enrollments", sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True))
    for name in ("answers", "repeats"):
        op.add_column("enrollments", sa.Column(name, jsonb, server_default="{}", nullable=False))
    for name in ("extras", "last_extras"):
        op.add_column("enrollments", sa.Column(name, ids, server_default="{}", nullable=False))
    _only("deliveries", "kind", ("confirm", "welcome", "step", "repeat", "campaign"))
    _create_segments()
    _create_answers(jsonb)
    _create_clicks()


def _create_segments() -> None:
    op.create_table(
        "segments",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segments")),
        sa.UniqueConstraint("slug", name=op.f("uq_segments_slug")),
    )
    op.create_table(
        "firings",
        sa.Column("course_id", sa.BigInteger(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name=op.f("fk_firings_course_id")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_firings_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("course_id", "trigger", "subscriber_id", name=op.f("pk_firings")),
    )
    op.create_index(op.f("ix_firings_subscriber_id"), "firings", ["subscriber_id"])


def _create_answers(jsonb: postgresql.JSONB) -> None:
    op.create_table(
        "pace_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("enrollment_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("before", jsonb, nullable=False),
        sa.Column("after", jsonb, nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["enrollment_id"],
            ["enrollments.id"],
            name=op.f("fk_pace_changes_enrollment_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pace_changes")),
    )
    op.create_index(op.f("ix_pace_changes_enrollment_id"), "pace_changes", ["enrollment_id"])
    op.create_table(
        "check_ins",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("enrollment_id", sa.BigInteger(), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("course_id", sa.BigInteger(), nullable=False),
        sa.Column("week", sa.SmallInteger(), nullable=False),
        sa.Column("times", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("answer IN ('done', 'not-yet', 'too-hard')", name=op.f("ck_check_ins_answer")),
        sa.ForeignKeyConstraint(
            ["enrollment_id"], ["enrollments.id"], name=op.f("fk_check_ins_enrollment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_ins")),
    )
    op.create_index(op.f("ix_check_ins_enrollment_id"), "check_ins", ["enrollment_id"])
    op.create_index(
        op.f("ix_check_ins_course_id_week_subscriber_id"), "check_ins", ["course_id", "week", "subscriber_id"]
    )


def _create_clicks() -> None:
    op.create_table(
        "clicks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("link", sa.SmallInteger(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text(), server_default="", nullable=False),
        sa.Column("network", sa.Text(), server_default="", nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("rules", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.CheckConstraint("verdict IN ('person', 'machine')", name=op.f("ck_clicks_verdict")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_clicks_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clicks")),
    )
    op.create_index(op.f("ix_clicks_delivery_id"), "clicks", ["delivery_id"])
    op.create_index(op.f("ix_clicks_subscriber_id"), "clicks", ["subscriber_id"])
    op.create_index(op.f("ix_clicks_source_at"), "clicks", ["source", "at"])


def downgrade() -> None:
    for table in ("clicks", "check_ins", "pace_changes", "firings", "segments"):
        op.drop_table(table)
    # A repeated week is a step that was sent again: the older schema has no other word for it.
    op.execute("UPDATE deliveries SET kind = 'step' WHERE kind = 'repeat'")
    op.execute("UPDATE moves SET kind = 'step' WHERE kind = 'repeat'")
    op.execute(
        """
        INSERT INTO moves (lane, source, kind, step_id, new_state, mails)
        SELECT lane, source, 'step', step_id, state, mails FROM tallies WHERE kind = 'repeat'
        """
    )
    op.execute("DELETE FROM tallies WHERE kind = 'repeat'")
    _only("deliveries", "kind", KINDS)
    for name in ("gap", "send_time", "weekdays", "paused_until", "asked_at"):
        op.drop_column("enrollments", name)
    for name in ("answers", "repeats", "extras", "last_extras"):
        op.drop_column("enrollments", name)
    for name in ("timing", "languages", "condition", "instead_of", "easier_than"):
        op.drop_column("steps", name)
    op.drop_column("courses", "flow")


def _only(table: str, column: str, words: tuple[str, ...]) -> None:
    """Let the column hold these words and no others."""
    name = f"ck_{table}_{column}"
    op.drop_constraint(op.f(name), table, type_="check")
    listed = ", ".join(f"'{word}'" for word in words)
    op.create_check_constraint(op.f(name), table, f"{column} IN ({listed})")
