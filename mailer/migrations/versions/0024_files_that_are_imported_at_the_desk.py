"""Files that were brought to the desk to be imported: how each is read, and what came of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"

STATES = "'looked-at', 'waiting', 'stopped', 'finished', 'refused', 'undoing', 'undone'"


def upgrade() -> None:
    op.create_table(
        "import_files",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="looked-at", nullable=False),
        sa.Column("encoding", sa.Text(), nullable=False),
        sa.Column("is_guessed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("delimiter", sa.Text()),
        sa.Column("columns", postgresql.ARRAY(sa.Text())),
        sa.Column("list_id", sa.BigInteger()),
        sa.Column("wording", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("is_confirmed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("brought_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("import_id", sa.BigInteger()),
        sa.Column("progress", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("report", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("problem", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.CheckConstraint(f"state IN ({STATES})", name="state"),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name="fk_import_files_import_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["list_id"], ["lists.id"], name="fk_import_files_list_id"),
        sa.PrimaryKeyConstraint("id", name="pk_import_files"),
        sa.UniqueConstraint("name", name="uq_import_files_name"),
    )
    op.create_index("ix_import_files_brought_at", "import_files", ["brought_at"])
    op.create_index("ix_import_files_import_id", "import_files", ["import_id"])
    op.create_index(
        "ix_import_files_open",
        "import_files",
        ["ordered_at"],
        postgresql_where=sa.text("state IN ('waiting', 'undoing')"),
    )


def downgrade() -> None:
    op.drop_table("import_files")
