"""The node's ledger under the node's own policy."""

from datetime import UTC, datetime

from hanse_client.vault.home import NodeHome
from hanse_client.vault.policy import Policy
from hanse_privacy.ledger import PrivacyLedger


def open_ledger(home: NodeHome, policy: Policy) -> PrivacyLedger:
    """Open the ledger of a node.

    Raises:
        LedgerUnusableError: If it is missing, altered or not readable.
    """
    return PrivacyLedger(home.ledger, caps=policy.caps, clock=lambda: datetime.now(tz=UTC))
