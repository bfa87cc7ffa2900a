"""What operators see and do; deliveries without the foreign keys that cost more than the insert."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

REFERENCES = {"message_id": "messages", "list_id": "lists", "course_id": "courses", "step_id": "steps"}


def upgrade() -> None:
    op.create_table(
        "actions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("rows", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actions")),
    )
    op.create_index(op.f("ix_actions_at"), "actions", ["at"], unique=False)
    op.create_table(
        "heartbeats",
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("queue", "worker", name=op.f("pk_heartbeats")),
    )
    op.create_table(
        "holds",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "scope IN ('everything', 'lane', 'sender', 'domain', 'course')", name=op.f("ck_holds_scope")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    op.create_index(
        "uq_holds_in_force",
        "holds",
        ["scope", "target"],
        unique=True,
        postgresql_where=sa.text("released_at IS NULL"),
    )
    for column in REFERENCES:
        op.drop_constraint(f"fk_deliveries_{column}", "deliveries", type_="foreignkey")


def downgrade() -> None:
    for column, table in REFERENCES.items():
        op.create_foreign_key(f"fk_deliveries_{column}", "deliveries", table, [column], ["id"])
    op.drop_index("uq_holds_in_force", table_name="holds", postgresql_where=sa.text("released_at IS NULL"))
    op.drop_table("holds")
    op.drop_table("heartbeats")
    op.drop_index(op.f("ix_actions_at"), table_name="actions")
    op.drop_table("actions")
