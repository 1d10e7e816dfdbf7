"""What the parties of a league say to each other: proposals, letters, manifests, signed requests."""
