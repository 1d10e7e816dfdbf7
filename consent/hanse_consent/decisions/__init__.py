"""Who may be used, and why not: pure functions and set expressions, no clock and no store."""
