"""People are found by words of their name and address; tags are known by name; lists are counted by estimate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

# As models/audience.py had it when this was written.
BREAKS = "[][ @._+'\"(),;/&|!*<>{}#=?^`~$-]+".replace("'", "''")
WORDS = rf"""array_to_tsvector(array_remove(regexp_split_to_array(lower(
CASE
    WHEN octet_length(name || email_key) = length(name || email_key)
    THEN (name || ' ') || split_part(email_key, '@', 1)
    ELSE regexp_replace(
        NORMALIZE((name || ' ') || split_part(email_key, '@', 1), NFKD), '[\u0300-\u036f]+', '', 'g'
    )
END), '{BREAKS}'), '') || ARRAY['@' || split_part(email_key, '@', 2)])"""


def upgrade() -> None:
    # Some ten seconds for a million people.
    op.create_index(
        "ix_subscribers_words",
        "subscribers",
        [sa.literal_column(WORDS)],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )
    op.create_index("ix_suppressions_reason_id", "suppressions", ["reason", "id"])
    op.create_table(
        "tags",
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_tags"),
    )
    op.execute("INSERT INTO tags (name) SELECT DISTINCT unnest(tags) FROM subscribers")
    # A list's people in one state are more or fewer than both figures by themselves would let one think.
    op.execute("CREATE STATISTICS subscriptions_list_state (mcv) ON list_id, state FROM subscriptions")
    op.execute("ANALYZE subscriptions")
    op.execute("ANALYZE subscribers")


def downgrade() -> None:
    op.execute("DROP STATISTICS subscriptions_list_state")
    op.drop_table("tags")
    op.drop_index("ix_suppressions_reason_id", "suppressions")
    op.drop_index("ix_subscribers_words", "subscribers")
