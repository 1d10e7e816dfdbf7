"""League runs: checked against the law, approved by officers of every controller, revocable, recorded to the end."""
