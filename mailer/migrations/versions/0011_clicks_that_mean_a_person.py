"""What a sender counts, and the links of each message."""

from __future__ import annotations

import re
from html import unescape

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"

SWITCHES = ("track_clicks", "track_opens", "decoy")
LINK = re.compile(r'<a\b[^>]*?\shref="(https?://[^"{}<>\s]+)"', re.IGNORECASE)
"""As content/links.py had it then."""


def upgrade() -> None:
    for name in SWITCHES:
        op.add_column("senders", sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False))
    jsonb = postgresql.JSONB(astext_type=sa.Text())
    op.add_column("messages", sa.Column("links", jsonb, server_default="[]", nullable=False))
    messages = sa.table(
        "messages", sa.column("id", sa.BigInteger()), sa.column("html", sa.Text()), sa.column("links", jsonb)
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(messages.c.id, messages.c.html)).all():
        links = list(dict.fromkeys(unescape(link) for link in LINK.findall(row.html)))
        if links:
            connection.execute(messages.update().where(messages.c.id == row.id).values(links=links))


def downgrade() -> None:
    op.drop_column("messages", "links")
    for name in SWITCHES:
        op.drop_column("senders", name)
