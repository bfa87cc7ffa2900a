"""Lists can be deleted, acts on whole lists and checks of drafts are kept, suppressions found by their parts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

# As models/audience.py had them when this was written.
ADDRESS = 'lower(email COLLATE "C")'
DOMAIN = f"split_part({ADDRESS}, '@'::text, 2)"


def upgrade() -> None:
    op.add_column("lists", sa.Column("removed_at", sa.DateTime(timezone=True)))
    op.create_table(
        "list_acts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "asked_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("list_id", sa.BigInteger(), nullable=False),
        sa.Column("course_id", sa.BigInteger()),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("up_to", sa.BigInteger(), server_default=sa.text("'0'"), nullable=False),
        sa.Column("changed", sa.BigInteger(), server_default=sa.text("'0'"), nullable=False),
        sa.Column("failures", sa.SmallInteger(), server_default=sa.text("'0'"), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("error", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.CheckConstraint("kind IN ('remove', 'enroll')", name="kind"),
        sa.ForeignKeyConstraint(["list_id"], ["lists.id"], name="fk_list_acts_list_id"),
        sa.ForeignKeyConstraint(["course_id"], ["courses.id"], name="fk_list_acts_course_id"),
        sa.PrimaryKeyConstraint("id", name="pk_list_acts"),
    )
    op.create_index("ix_list_acts_open", "list_acts", ["id"], postgresql_where=sa.text("ended_at IS NULL"))
    op.create_index("ix_list_acts_list_id", "list_acts", ["list_id"])
    op.create_table(
        "draft_checks",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.CheckConstraint("kind IN ('campaign', 'course')", name="kind"),
        sa.PrimaryKeyConstraint("kind", "slug", name="pk_draft_checks"),
    )
    op.create_index(
        "ix_draft_checks_failing",
        "draft_checks",
        ["kind", "at"],
        postgresql_where=sa.text("errors > 0"),
    )
    op.create_index("ix_suppressions_address", "suppressions", [sa.literal_column(ADDRESS)])
    op.create_index(
        "ix_suppressions_domain", "suppressions", [sa.literal_column(DOMAIN), sa.literal_column(ADDRESS)]
    )


def downgrade() -> None:
    op.drop_index("ix_suppressions_domain", "suppressions")
    op.drop_index("ix_suppressions_address", "suppressions")
    op.drop_table("draft_checks")
    op.drop_table("list_acts")
    op.drop_column("lists", "removed_at")
