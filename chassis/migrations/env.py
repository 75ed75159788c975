"""Alembic's environment, one for all histories; run by Alembic, with the connection and schema it was given."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema=context.config.attributes["schema"],
    # What one migration did stays done when the next one fails.
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
