"""The files that a version of a course was published from are kept with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.create_table(
        "course_files",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_course_files"),
    )
    op.add_column("course_versions", sa.Column("files_digest", sa.Text()))
    op.create_index("ix_course_versions_files_digest", "course_versions", ["files_digest"])
    op.create_foreign_key(
        "fk_course_versions_files_digest", "course_versions", "course_files", ["files_digest"], ["digest"]
    )


def downgrade() -> None:
    op.drop_constraint("fk_course_versions_files_digest", "course_versions", type_="foreignkey")
    op.drop_index("ix_course_versions_files_digest", "course_versions")
    op.drop_column("course_versions", "files_digest")
    op.drop_table("course_files")
