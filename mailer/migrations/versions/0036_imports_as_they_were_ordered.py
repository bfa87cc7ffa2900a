"""An import that is gone on with, or taken back, is what was ordered, whatever its list asks for by then.

What ended has said whether its people were asked; what is under way goes on as it would have done now.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    op.add_column(
        "import_files",
        sa.Column("joins_active", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "import_files",
        sa.Column("fields", postgresql.JSONB(), server_default="[]", nullable=False),
    )
    op.execute(
        """
        UPDATE import_files f
        SET joins_active = CASE WHEN f.report ? 'asked' THEN CAST(f.report ->> 'asked' AS bigint) = 0
                                ELSE f.is_confirmed OR l.opt_in = 'single' END
        FROM lists l WHERE l.id = f.list_id
        """
    )
    op.execute(
        """
        UPDATE import_files
        SET fields = (SELECT coalesce(jsonb_agg(jsonb_build_array(key, type) ORDER BY key), '[]')
                      FROM custom_fields)
        WHERE state IN ('waiting', 'stopped')
        """
    )


def downgrade() -> None:
    op.drop_column("import_files", "fields")
    op.drop_column("import_files", "joins_active")
