"""Models: what is learnt from purchases, and how well it does.

Pure functions over NumPy arrays and SciPy sparse matrices: no files, no clock, no randomness. A vault
feeds them with rows that its data engine has already added up; whoever checks a league feeds them
with the same rows, so that both compute the same thing.
"""
