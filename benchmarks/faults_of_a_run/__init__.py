"""Killing vaults and centres in the middle of runs, and looking at what they left behind."""
