"""The partner's node: a vault that holds data and keys, and a courier that carries sealed letters."""
