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
    centre, budget, wanted = home.load().centre.name, LeagueBudget.read(home), None
    for served in services:
        for partner in served.partners:
            telling = _Telling(served.service, partner, centre=centre, home=home)
            # Most services were told last of one and the same entry.
            budget, wanted = telling.tell(budget, wanted)


class _Telling:
    """One partner's service."""

    def __init__(self, service: ConsentService, partner: str, *, centre: str, home: LeagueHome) -> None:
        self._service = service
        self._partner = partner
        self._centre = centre
        self._home = home

    def tell(self, budget: LeagueBudget, wanted: int | None) -> tuple[LeagueBudget, int | None]:
        """Until it is taken.

        Args:
            budget: The ledger as it was read last.
            wanted: The position that the service may want to see; none where nobody knows.

        Returns:
            Both, as they were when it was taken.
        """
        limit_s: float | None = None
        last_refusal: ConsentRefusedError | None = None
        while True:
            try:
                receipt = self._service.report_league_budget(
                    budget.report(self._partner, centre=self._centre, before=_shown(budget, wanted))
                )
            except ConsentRefusedError as error:
                if error.refusal_code != _OVERTAKEN:
                    raise
                last_refusal = error
            else:
                if receipt.outcome is BudgetOutcome.TAKEN:
                    return budget, wanted
                if receipt.outcome is BudgetOutcome.OLDER_LEDGER:
                    raise LeagueLedgerError(
                        f"The consent service of {self._partner} was told of a newer ledger of this league, or of"
                        " another one.",
                        "Restore the newest ledger.db; until then no run starts.",
                    )
                if receipt.last_position != wanted:
                    wanted = receipt.last_position
                    continue
                last_refusal = None
            # Another run has reported meanwhile, so this ledger may have grown; or a clock is wrong.
            limit_s = time.monotonic() + _PATIENCE_S if limit_s is None else limit_s
            if time.monotonic() > limit_s:
                raise last_refusal or ConsentAnswerInvalidError(
                    f"The consent service of {self._partner} did not take the report of the league's budget.",
                    "If many runs start at once, start this one again; else look after the service.",
                )
            time.sleep(_LONGEST_WAIT_S * secrets.randbelow(1000) / 1000)
            budget = LeagueBudget.read(self._home)


def _shown(budget: LeagueBudget, wanted: int | None) -> LedgerPlace:
    place = budget.reading.place(wanted) if wanted is not None else None
    return place if place is not None else budget.reading.end
