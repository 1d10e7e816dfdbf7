"""Where everything is kept: tables, transactions, recording, enumeration; SQLite or PostgreSQL."""
