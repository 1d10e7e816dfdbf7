"""Names of the records in which letters travel through a federation framework."""

LETTERS_RECORD = "hanse-letters"
"""From the centre: one entry per addressed partner, name to sealed letter."""

REPLY_RECORD = "hanse-reply"
"""From a node."""

PARTNER_FIELD = "partner"
"""The partner that the node says it serves: a hint for the next address, proved by no one."""

REPLY_FIELD = "reply"
"""The encoded courier's reply inside it."""

ACTION = "query"
"""The kind of message that carries them."""
