"""What a campaign's text was before it was turned from Markdown into MJML, so that the turn can be undone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    column = sa.Column("earlier", postgresql.JSONB(), server_default="{}", nullable=False)
    op.add_column("campaign_drafts", column)


def downgrade() -> None:
    op.drop_column("campaign_drafts", "earlier")
