"""What SQLite's planner is told of the tables, because it knows nothing of a table that was never analysed.

Without it the planner takes the rows of one controller for a handful, and reads all of them to find one key. The
figures are those that ``ANALYZE`` gives for a million customers: rows, then rows for each prefix of an index.
"""

from alembic import op

_FIGURES = (
    ("consent_act", "consent_act", "3000000 3000000 1"),
    ("consent_act", "consent_act_key", "3000000 3000000 1"),
    ("consent_act", "consent_act_customer", "3000000 3000000 3"),
    ("customer", "customer", "1000000 1000000 1"),
    ("customer", "customer_pseudonym", "1000000 1000000 1"),
    ("fact", "fact", "4000000 4000000 500000 2 1"),
    ("profile_detail", "profile_detail", "1000000 1000000 1"),
    ("profile_detail", "profile_detail_customer", "1000000 1000000 1"),
    ("tombstone", "tombstone", "1000 1000 1"),
)


def tell_planner() -> None:
    """Write the figures; PostgreSQL analyses its tables by itself."""
    if op.get_context().dialect.name == "sqlite":
        op.execute("ANALYZE")
        for table, index, figures in _FIGURES:
            op.execute(f"INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('{table}', '{index}', '{figures}')")  # noqa: S608
        op.execute("ANALYZE sqlite_schema")
