"""The centre's adapter to Flower: the only modules of this room that import it."""
