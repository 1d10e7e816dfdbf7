"""What is allowed: purposes, notices, grants and withdrawals, and who may be used for a round, now.

Importing this package loads neither web framework nor database; a vault imports only
:mod:`hanse_consent.client` and :mod:`hanse_consent.domain.acts`.
"""
