"""The audit log is found by person and by act; a question to a browser is kept by the browser."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_index("ix_actions_who", "actions", ["who", "id"])
    op.create_index("ix_actions_what", "actions", ["what", "id"], postgresql_ops={"what": "text_pattern_ops"})
    op.drop_column("operator_sessions", "challenge")


def downgrade() -> None:
    op.add_column(
        "operator_sessions",
        sa.Column("challenge", postgresql.JSONB(), server_default="{}", nullable=False),
    )
    op.drop_index("ix_actions_what", "actions")
    op.drop_index("ix_actions_who", "actions")
