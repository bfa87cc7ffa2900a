"""Whose database this is and when it was last alive; holds of different causes side by side."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

IN_FORCE = sa.text("released_at IS NULL")


def upgrade() -> None:
    op.add_column("instance", sa.Column("database_id", sa.Uuid(), nullable=True))
    op.add_column("instance", sa.Column("token_hash", sa.LargeBinary(), nullable=True))
    op.add_column("instance", sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("instance", sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True))
    # Until now heartbeats were the only sign of life that stayed.
    op.execute("UPDATE instance SET seen_at = (SELECT max(seen_at) FROM heartbeats)")
    op.add_column("holds", sa.Column("cause", sa.Text(), server_default="person", nullable=False))
    op.create_check_constraint(op.f("ck_holds_cause"), "holds", "cause IN ('person', 'outage', 'fence')")
    op.drop_index("uq_holds_in_force", table_name="holds", postgresql_where=IN_FORCE)
    op.create_index(
        "uq_holds_in_force",
        "holds",
        ["scope", "target", "cause"],
        unique=True,
        postgresql_where=IN_FORCE,
    )


def downgrade() -> None:
    op.drop_index("uq_holds_in_force", table_name="holds", postgresql_where=IN_FORCE)
    # The older schema has room for one hold in force of each kind; a person's stays.
    op.execute("UPDATE holds SET released_at = since WHERE cause <> 'person' AND released_at IS NULL")
    op.drop_constraint(op.f("ck_holds_cause"), "holds", type_="check")
    op.drop_column("holds", "cause")
    op.create_index("uq_holds_in_force", "holds", ["scope", "target"], unique=True, postgresql_where=IN_FORCE)
    for column in ("seen_at", "fence", "token_hash", "database_id"):
        op.drop_column("instance", column)
