"""A course that has ended stays so until its reader confirms that they want it again.

Anybody may type an address into a form: before, that alone set the course of its owner back to its beginning.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    op.add_column(
        "enrollments",
        sa.Column("begins_again", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("enrollments", "begins_again")
