"""Telling every partner's consent service how the league's ledger stands: officers read it, and an older one is known.

Nothing here is needed for a vault's own budget, which its own ledger bounds. It bounds what no vault sees: the loss of
a person who is a customer of several partners.
"""

import secrets
import time
from collections.abc import Sequence

from hanse_consent.errors import ConsentAnswerInvalidError, ConsentRefusedError
from hanse_privacy.protocol.ledger_report import BudgetOutcome, LedgerPlace
from hanse_server.consent_services import ConsentService, ServedPartners
from hanse_server.league import LeagueHome
from hanse_server.league_budget import LeagueBudget
from hanse_server.league_ledger_file import LeagueLedgerError

_PATIENCE_S = 10.0
"""Several runs may report at once; each says it again then."""
_LONGEST_WAIT_S = 0.2
_OVERTAKEN = "BUDGET_REPORT_OUTDATED"


def report_budget(services: Sequence[ServedPartners], *, home: LeagueHome) -> None:
    """Say how the league's budget stands. After any error no run may start.

    Guarantee: where this returns, every service has taken this very ledger up to its end, and by then it had taken no
    entry that this ledger has not.

    Args:
        services: All consent services.
        home: The centre's folder.

    Raises:
        LeagueLedgerError: If a service was told of a newer ledger, or of another one, before.
        HanseError: If a service does not answer, or the ledger cannot be read.
    """
    centre, teller = home.load().centre.name, _Teller(home)
    for served in services:
        for partner in served.partners:
            teller.tell(served.service, partner, centre=centre)


class _Teller:
    """Tells one service after the other, and reads the ledger anew only where another run has overtaken it."""

    def __init__(self, home: LeagueHome) -> None:
        self._home = home
        self._budget = LeagueBudget.read(home)
        self._wanted: int | None = None
        """The position that the last service wanted to see: most were told last of one and the same entry."""

    def tell(self, service: ConsentService, partner: str, *, centre: str) -> None:
        """Until it is taken, or is not to be."""
        limit_s: float | None = None
        while True:
            refused: ConsentRefusedError | None = None
            try:
                receipt = service.report_league_budget(
                    self._budget.report(partner, centre=centre, before=self._shown())
                )
            except ConsentRefusedError as error:
                if error.refusal_code != _OVERTAKEN:
                    raise
                refused = error
            else:
                if receipt.outcome is BudgetOutcome.TAKEN:
                    return
                if receipt.outcome is BudgetOutcome.OLDER_LEDGER:
                    raise LeagueLedgerError(
                        f"The consent service of {partner} was told of a newer ledger of this league, or of another"
                        " one.",
                        "Restore the newest ledger.db; until then no run starts.",
                    )
                if receipt.last_position != self._wanted:
                    self._wanted = receipt.last_position
                    continue
            # Another run has reported meanwhile, so this ledger may have grown; or a clock is wrong.
            limit_s = time.monotonic() + _PATIENCE_S if limit_s is None else limit_s
            if time.monotonic() > limit_s:
                raise refused or ConsentAnswerInvalidError(
                    f"The consent service of {partner} did not take the report of the league's budget.",
                    "If many runs start at once, start this one again; else look after the service.",
                )
            time.sleep(_LONGEST_WAIT_S * secrets.randbelow(1000) / 1000)
            self._budget = LeagueBudget.read(self._home)

    def _shown(self) -> LedgerPlace:
        reading = self._budget.reading
        place = reading.place(self._wanted) if self._wanted is not None else None
        return place if place is not None else reading.end
