"""What the tables refuse by themselves: rewriting of evidence, and on PostgreSQL rows of another controller."""

from alembic import op

_ACROSS = "(SELECT current_setting('hanse.across', true) = 'on')"
_BY_NAME = "controller = (SELECT current_setting('hanse.controller', true))"
_BY_NUMBER = (
    "controller_no = (SELECT stand.controller_no FROM controller_stand AS stand "
    "WHERE stand.controller = current_setting('hanse.controller', true))"
)


def forbid_rewriting(table: str, *actions: str) -> None:
    """Refuse ``UPDATE`` or ``DELETE`` of a table's rows; where deleting is refused, truncating is, too."""
    if op.get_context().dialect.name == "sqlite":
        for action in actions:
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is never rewritten'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_no_rewriting() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is never rewritten'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_rewriting BEFORE {' OR '.join(actions)} ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_no_rewriting()"
    )
    if "DELETE" in actions:
        op.execute(
            f"CREATE TRIGGER {table}_no_truncating BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_no_rewriting()"
        )


def allow_rewriting(table: str) -> None:
    """Take :func:`forbid_rewriting` back for a table that is already dropped."""
    if op.get_context().dialect.name != "sqlite":
        op.execute(f"DROP FUNCTION {table}_no_rewriting()")


def separate_controllers(table: str, *, numbered: bool) -> None:
    """Let a transaction see and write the rows of its own controller only, also as the table's owner.

    Args:
        table: Has a column ``controller``, or ``controller_no`` where ``numbered``.
        numbered: Which of the two.
    """
    if op.get_context().dialect.name == "sqlite":
        return
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    # Sub-selects, so that the settings are read once for a query and not once for a row.
    own = _BY_NUMBER if numbered else _BY_NAME
    op.execute(f"CREATE POLICY own_controller ON {table} USING ({_ACROSS} OR {own})")
