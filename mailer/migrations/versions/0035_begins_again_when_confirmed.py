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
    # As it was before: who confirms then begins, and nobody waits for ever.
    op.execute(
        "UPDATE enrollments SET state = 'waiting', reason = '', ended_at = NULL, round = round + 1, "
        "last_day = 0, last_delivery_id = NULL, asked_at = NULL, paused_until = NULL, answers = '{}', "
        "repeats = '{}', extras = '{}', last_extras = '{}' WHERE begins_again"
    )
    op.drop_column("enrollments", "begins_again")
