"""The centre: it proposes runs, drives their rounds and keeps what they released; it sees no customer."""
