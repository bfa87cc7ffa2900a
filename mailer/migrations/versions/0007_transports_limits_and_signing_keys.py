"""Several transports for a sender, with limits and a breaker; DKIM keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

WHEN = sa.DateTime(timezone=True)


def upgrade() -> None:
    _transports()
    op.execute("INSERT INTO transports (slug) VALUES ('default')")
    op.create_table(
        "sender_transports",
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("transport_id", sa.BigInteger(), nullable=False),
        sa.Column("weight", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["sender_id"], ["senders.id"], name=op.f("fk_sender_transports_sender_id")),
        sa.ForeignKeyConstraint(
            ["transport_id"], ["transports.id"], name=op.f("fk_sender_transports_transport_id")
        ),
        sa.PrimaryKeyConstraint("sender_id", "transport_id", name=op.f("pk_sender_transports")),
    )
    op.create_index(op.f("ix_sender_transports_transport_id"), "sender_transports", ["transport_id"])
    _send_limits()
    _dkim_keys()


def _transports() -> None:
    op.create_table(
        "transports",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("sealed_url", sa.Text(), server_default="", nullable=False),
        sa.Column("conversations", sa.SmallInteger(), server_default="4", nullable=False),
        sa.Column("state", sa.Text(), server_default="closed", nullable=False),
        sa.Column("trouble", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("since", WHEN, nullable=True),
        sa.Column("failures", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("openings", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("probe_at", WHEN, nullable=True),
        sa.Column("slowed_at", WHEN, nullable=True),
        sa.Column("paused_at", WHEN, nullable=True),
        sa.Column("paused_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("warmup_first", sa.Integer(), nullable=True),
        sa.Column("warmup_target", sa.Integer(), nullable=True),
        sa.Column("warmup_growth", sa.SmallInteger(), server_default="50", nullable=False),
        sa.Column("warmup_day", sa.Date(), nullable=True),
        sa.CheckConstraint("state IN ('closed', 'open', 'probing')", name=op.f("ck_transports_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transports")),
        sa.UniqueConstraint("slug", name=op.f("uq_transports_slug")),
    )


def _send_limits() -> None:
    op.create_table(
        "send_limits",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("transport_id", sa.BigInteger(), nullable=False),
        sa.Column("domain_group", sa.Text(), server_default="", nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), server_default="set", nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.Float(), server_default="0", nullable=False),
        sa.Column("filled_at", WHEN, nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("used", sa.Integer(), server_default="0", nullable=False),
        sa.Column("promised_until", WHEN, nullable=True),
        sa.Column("since", WHEN, nullable=False),
        sa.CheckConstraint("period IN ('minute', 'hour', 'day')", name=op.f("ck_send_limits_period")),
        sa.CheckConstraint("origin IN ('set', 'warmup', 'slowed')", name=op.f("ck_send_limits_origin")),
        sa.ForeignKeyConstraint(
            ["transport_id"], ["transports.id"], name=op.f("fk_send_limits_transport_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_send_limits")),
        sa.UniqueConstraint(
            "transport_id",
            "domain_group",
            "period",
            "origin",
            name=op.f("uq_send_limits_transport_id_domain_group_period_origin"),
        ),
    )


def _dkim_keys() -> None:
    op.create_table(
        "dkim_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("selector", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("sealed_key", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("created_at", WHEN, server_default=sa.text("now()"), nullable=False),
        sa.Column("activated_at", WHEN, nullable=True),
        sa.Column("retired_at", WHEN, nullable=True),
        sa.ForeignKeyConstraint(["sender_id"], ["senders.id"], name=op.f("fk_dkim_keys_sender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dkim_keys")),
        sa.UniqueConstraint("domain", "selector", name=op.f("uq_dkim_keys_domain_selector")),
    )
    op.create_index(op.f("ix_dkim_keys_sender_id"), "dkim_keys", ["sender_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_dkim_keys_sender_id"), "dkim_keys")
    for table in ("dkim_keys", "send_limits"):
        op.drop_table(table)
    op.drop_index(op.f("ix_sender_transports_transport_id"), "sender_transports")
    op.drop_table("sender_transports")
    op.drop_table("transports")
