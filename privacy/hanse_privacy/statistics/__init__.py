"""Statistics of one release: what vector a customer gives, and what is read from the noisy sum of all of them.

Each module is one shape of a customer's vector with its exact L2 norm, which is what adding or removing that customer
changes in the sum, and the reading of the noisy sum, which costs no privacy (post-processing). Clipping, noise and
accounting are those of :mod:`hanse_privacy.release`; nothing here draws noise or reads a ledger.
"""
