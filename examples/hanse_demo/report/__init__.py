"""What a demo found, for people: one HTML page, and a table in the terminal."""
