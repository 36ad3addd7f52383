"""Run by Alembic; the connection is handed in, with its transaction."""

from alembic import context

from buffycoat.serve.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=False,  # the caller's transaction holds all steps, or none
)
context.run_migrations()
