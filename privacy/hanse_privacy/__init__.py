"""Privacy: units, mechanisms, accounting, ledger, and the protocol that both ends speak.

The lowest room of the house: it imports none of the others.
"""
