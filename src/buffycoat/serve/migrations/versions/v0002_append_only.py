"""The database itself refuses changes of what is on record."""

from alembic import op

revision = "0002"
down_revision = "0001"

RECORDS = ("log", "versions")


def upgrade() -> None:
    """Refuse UPDATE and DELETE of the log and of signed versions, and TRUNCATE on PostgreSQL."""
    if op.get_bind().dialect.name == "sqlite":
        for table in RECORDS:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION buffycoat_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in RECORDS:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION buffycoat_append_only()"
        )
