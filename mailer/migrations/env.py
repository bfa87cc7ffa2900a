"""Alembic's entry: migrate on the connection that `mailer.migrations` passes in."""

from __future__ import annotations

from alembic import context

from mailer.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
