"""Deliveries by the month they belong to, on their way in batches, and counted as they move."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# Copied, not renamed: constraints and indexes of a renamed table keep names that the new one wants.
ASIDE = """
CREATE TABLE old_deliveries AS TABLE deliveries;
CREATE TABLE old_attempts AS TABLE attempts;
CREATE TABLE old_events AS TABLE events;
CREATE INDEX ON old_attempts (delivery_id);
DROP TABLE attempts, events, deliveries
"""
NEW = """
CREATE TABLE deliveries (
    id BIGINT NOT NULL,
    subscriber_id BIGINT NOT NULL,
    message_id BIGINT NOT NULL,
    list_id BIGINT NOT NULL,
    course_id BIGINT,
    step_id BIGINT,
    enrollment_id BIGINT,
    batch_id BIGINT,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE NOT NULL,
    settled_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    attempts SMALLINT DEFAULT '0' NOT NULL,
    deferrals SMALLINT DEFAULT '0' NOT NULL,
    cuts SMALLINT DEFAULT '0' NOT NULL,
    crashes SMALLINT DEFAULT '0' NOT NULL,
    code SMALLINT,
    dedup_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    lane TEXT NOT NULL,
    source TEXT NOT NULL,
    state TEXT DEFAULT 'planned' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    reply TEXT,
    CONSTRAINT pk_deliveries PRIMARY KEY (id),
    CONSTRAINT ck_deliveries_kind CHECK (kind IN ('confirm', 'welcome', 'step')),
    CONSTRAINT ck_deliveries_lane CHECK (lane IN ('transactional', 'course', 'campaign')),
    CONSTRAINT ck_deliveries_state CHECK (state IN ('planned', 'held', 'sending', 'quarantined', 'accepted', 'bounced', 'suppressed', 'skipped', 'failed', 'uncertain', 'cancelled'))
)
 PARTITION BY RANGE (id);
CREATE INDEX ix_deliveries_aside ON deliveries (source, state, id) WHERE state NOT IN ('planned', 'sending', 'accepted');
CREATE INDEX ix_deliveries_open ON deliveries (lane, source, next_attempt_at, id) WHERE state = 'planned';
CREATE INDEX ix_deliveries_subscriber_id ON deliveries (subscriber_id);
CREATE TABLE attempts (
    delivery_id BIGINT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    outcome TEXT NOT NULL,
    code SMALLINT,
    reply TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_attempts PRIMARY KEY (delivery_id, id)
)
 PARTITION BY RANGE (delivery_id);
CREATE TABLE events (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    kind TEXT NOT NULL,
    subscriber_id BIGINT NOT NULL,
    delivery_id BIGINT,
    detail TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (id, at),
    CONSTRAINT ck_events_kind CHECK (kind IN ('confirmed', 'unsubscribed', 'bounced'))
)
 PARTITION BY RANGE (at);
CREATE INDEX ix_events_subscriber_id ON events (subscriber_id);
CREATE TABLE batches (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    lane TEXT NOT NULL,
    source TEXT NOT NULL,
    transport_id BIGINT,
    domain_group TEXT,
    delivery_ids BIGINT[] NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    offered_until TIMESTAMP WITH TIME ZONE NOT NULL,
    token UUID,
    lease_until TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_batches PRIMARY KEY (id),
    CONSTRAINT ck_batches_lane CHECK (lane IN ('transactional', 'course', 'campaign'))
);
CREATE TABLE moves (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    lane TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    step_id BIGINT,
    transport_id BIGINT,
    old_state TEXT,
    new_state TEXT NOT NULL,
    mails BIGINT NOT NULL,
    is_folded BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_moves PRIMARY KEY (id)
);
CREATE INDEX ix_moves_at ON moves (at);
CREATE INDEX ix_moves_new ON moves (id) WHERE NOT is_folded;
CREATE TABLE tallies (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    lane TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    step_id BIGINT,
    state TEXT NOT NULL,
    mails BIGINT NOT NULL,
    CONSTRAINT pk_tallies PRIMARY KEY (id),
    CONSTRAINT uq_tallies_source_kind_step_id_lane_state UNIQUE NULLS NOT DISTINCT (source, kind, step_id, lane, state)
)
"""
REST = """
    CREATE TABLE deliveries_rest PARTITION OF deliveries DEFAULT WITH (fillfactor = 80);
    CREATE UNIQUE INDEX uq_deliveries_rest_dedup_key ON deliveries_rest (dedup_key);
    CREATE TABLE attempts_rest PARTITION OF attempts DEFAULT;
    CREATE TABLE events_rest PARTITION OF events DEFAULT;
    CREATE SEQUENCE delivery_numbers;
    CREATE FUNCTION forget_mails_of() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO moves (lane, source, kind, step_id, old_state, new_state, mails)
        SELECT lane, source, kind, step_id, replace(state, 'sending', 'planned'), 'forgotten', count(*)
        FROM deliveries WHERE subscriber_id = OLD.id GROUP BY 1, 2, 3, 4, 5;
        DELETE FROM attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE subscriber_id = OLD.id);
        DELETE FROM deliveries WHERE subscriber_id = OLD.id;
        DELETE FROM events WHERE subscriber_id = OLD.id;
        RETURN OLD;
    END $$;
    CREATE TRIGGER forget_mails BEFORE DELETE ON subscribers FOR EACH ROW EXECUTE FUNCTION forget_mails_of()
"""
# Whoever had a row when the database was brought up to date is gone: a person decides what became of it.
OVER = """
INSERT INTO deliveries (
    id, subscriber_id, message_id, list_id, course_id, step_id, enrollment_id, due_at, next_attempt_at,
    settled_at, created_at, attempts, deferrals, cuts, crashes, code, reply, dedup_key, kind, lane, source,
    state, reason
)
SELECT d.id, d.subscriber_id, d.message_id, d.list_id, d.course_id, d.step_id, d.enrollment_id, d.due_at,
    d.next_attempt_at, CASE WHEN d.state = 'sending' THEN now() ELSE d.settled_at END, d.created_at,
    least(d.attempts, 32767), d.deferrals, d.cuts, d.crashes, a.code, a.reply, d.dedup_key, d.kind, d.lane,
    CASE WHEN d.course_id IS NULL THEN 'list:' || d.list_id ELSE 'course:' || d.course_id END,
    CASE WHEN d.state = 'sending' THEN 'uncertain' ELSE d.state END,
    CASE WHEN d.state = 'sending' THEN 'was with a worker when the database was renewed' ELSE d.reason END
FROM old_deliveries d
LEFT JOIN LATERAL (
    SELECT code, reply FROM old_attempts WHERE delivery_id = d.id ORDER BY id DESC LIMIT 1
) AS a ON true;
INSERT INTO attempts (delivery_id, at, outcome, code, reply)
SELECT delivery_id, at, outcome, code, reply FROM old_attempts WHERE outcome <> 'accepted' ORDER BY id;
INSERT INTO events (at, kind, subscriber_id, delivery_id, detail)
SELECT at, kind, subscriber_id, delivery_id, detail FROM old_events ORDER BY id;
INSERT INTO tallies (lane, source, kind, step_id, state, mails)
SELECT lane, source, kind, step_id, state, count(*) FROM deliveries GROUP BY 1, 2, 3, 4, 5;
SELECT setval('delivery_numbers', coalesce((SELECT max(id) FROM deliveries), 0) + 1);
DROP TABLE old_attempts, old_events, old_deliveries
"""

BACK_ASIDE = """
DROP TRIGGER forget_mails ON subscribers;
DROP FUNCTION forget_mails_of();
DROP SEQUENCE delivery_numbers;
DROP TABLE batches, moves, tallies;
CREATE TABLE new_deliveries AS TABLE deliveries;
CREATE TABLE new_attempts AS TABLE attempts;
CREATE TABLE new_events AS TABLE events;
DROP TABLE deliveries, attempts, events
"""
BACK_OVER = """
INSERT INTO deliveries (
    id, dedup_key, kind, lane, state, reason, subscriber_id, message_id, list_id, course_id, step_id,
    enrollment_id, due_at, next_attempt_at, attempts, deferrals, cuts, crashes, settled_at, created_at
) OVERRIDING SYSTEM VALUE
SELECT id, dedup_key, kind, lane, CASE WHEN state = 'sending' THEN 'uncertain' ELSE state END, reason,
    subscriber_id, message_id, list_id, course_id, step_id, enrollment_id, due_at, next_attempt_at, attempts,
    deferrals, cuts, crashes, settled_at, created_at
FROM new_deliveries;
INSERT INTO attempts (delivery_id, at, outcome, code, reply)
SELECT delivery_id, at, outcome, code, reply FROM new_attempts
UNION ALL
SELECT id, settled_at, state, code, coalesce(reply, '') FROM new_deliveries WHERE state = 'accepted'
ORDER BY 1, 2;
INSERT INTO events (kind, at, subscriber_id, delivery_id, detail)
SELECT kind, at, subscriber_id, delivery_id, detail FROM new_events ORDER BY id;
SELECT setval(pg_get_serial_sequence('deliveries', 'id'), coalesce((SELECT max(id) FROM deliveries), 0) + 1);
DROP TABLE new_deliveries, new_attempts, new_events
"""


def upgrade() -> None:
    op.add_column("instance", sa.Column("kept_since", sa.DateTime(timezone=True), nullable=True))
    for part in (ASIDE, NEW, REST, OVER):
        op.execute(part)


def downgrade() -> None:
    op.drop_column("instance", "kept_since")
    op.execute(BACK_ASIDE)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("dedup_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="planned", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("course_id", sa.BigInteger(), nullable=True),
        sa.Column("step_id", sa.BigInteger(), nullable=True),
        sa.Column("enrollment_id", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("offered_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("token", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("deferrals", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("cuts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("crashes", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('confirm', 'welcome', 'step')", name=op.f("ck_deliveries_kind")),
        sa.CheckConstraint(
            "lane IN ('transactional', 'course', 'campaign')", name=op.f("ck_deliveries_lane")
        ),
        sa.CheckConstraint(
            "state IN ('planned', 'held', 'sending', 'quarantined', 'accepted', 'bounced', 'suppressed', 'skipped', 'failed', 'uncertain', 'cancelled')",
            name=op.f("ck_deliveries_state"),
        ),
        sa.ForeignKeyConstraint(
            ["enrollment_id"],
            ["enrollments.id"],
            name=op.f("fk_deliveries_enrollment_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_deliveries_subscriber_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("dedup_key", name=op.f("uq_deliveries_dedup_key")),
    )
    op.create_index(op.f("ix_deliveries_course_id_state"), "deliveries", ["course_id", "state"], unique=False)
    op.create_index(
        "ix_deliveries_leased",
        "deliveries",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("state = 'sending'"),
    )
    op.create_index(
        "ix_deliveries_open",
        "deliveries",
        ["lane", "next_attempt_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'planned'"),
    )
    op.create_index(op.f("ix_deliveries_subscriber_id"), "deliveries", ["subscriber_id"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("code", sa.SmallInteger(), nullable=True),
        sa.Column("reply", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_attempts_delivery_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_index(op.f("ix_attempts_delivery_id"), "attempts", ["delivery_id"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("kind IN ('confirmed', 'unsubscribed', 'bounced')", name=op.f("ck_events_kind")),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_events_delivery_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_events_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_subscriber_id"), "events", ["subscriber_id"], unique=False)
    op.execute(BACK_OVER)
