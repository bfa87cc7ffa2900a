"""When somebody's course began, or began anew: what was had and said before that is past."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    op.add_column("enrollments", sa.Column("begun_at", sa.DateTime(timezone=True)))
    # Of who never went back it is when they were welcomed, which nothing has to tell apart.
    op.execute("""
        UPDATE enrollments AS e SET begun_at = greatest(
            (SELECT max(p.at) FROM pace_changes AS p
             WHERE p.enrollment_id = e.id AND p.what = 'start-over' AND p.undone_at IS NULL),
            (SELECT max(d.due_at) FROM deliveries AS d
             WHERE d.subscriber_id = e.subscriber_id AND d.enrollment_id = e.id AND d.kind = 'welcome'))
        WHERE e.round > 1
        """)


def downgrade() -> None:
    op.drop_column("enrollments", "begun_at")
