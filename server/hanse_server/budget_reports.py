"""Telling every partner's consent service how the league's ledger stands: officers read it, and an older one is known.

Nothing here is needed for a vault's own budget, which its own ledger bounds. It bounds what no vault sees: the loss of
a person who is a customer of several partners.
"""

import time
from collections.abc import Sequence

from hanse_consent.errors import ConsentAnswerInvalidError, ConsentRefusedError
from hanse_privacy.protocol.ledger_report import BudgetOutcome, LedgerPlace
from hanse_server.consent_services import ConsentService, ServedPartners
from hanse_server.league import LeagueHome
from hanse_server.league_budget import LeagueBudget
from hanse_server.league_ledger import LeagueLedgerError

_TRIES = 5
"""Two runs may report at once; each says it again then."""
_OVERTAKEN = "BUDGET_REPORT_OUTDATED"
_WAIT_S = 0.05


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
    centre = home.load().centre.name
    for served in services:
        for partner in served.partners:
            _tell(served.service, partner, centre=centre, home=home)


def _tell(service: ConsentService, partner: str, *, centre: str, home: LeagueHome) -> None:
    wanted: int | None = None
    for tries_left in range(_TRIES, 0, -1):
        budget = LeagueBudget.read(home)
        try:
            receipt = service.report_league_budget(budget.report(partner, centre=centre, before=_shown(budget, wanted)))
        except ConsentRefusedError as error:
            if error.refusal_code != _OVERTAKEN or tries_left == 1:
                raise
            time.sleep(_WAIT_S)
            continue
        if receipt.outcome is BudgetOutcome.TAKEN:
            return
        if receipt.outcome is BudgetOutcome.OLDER_LEDGER:
            raise LeagueLedgerError(
                f"The consent service of {partner} was told of a newer ledger of this league, or of another one.",
                "Restore the newest ledger.db; until then no run starts.",
            )
        wanted = receipt.last_position
    raise ConsentAnswerInvalidError(
        f"The consent service of {partner} did not take the report of the league's budget.",
        "Start one run after the other, and look after the network.",
    )


def _shown(budget: LeagueBudget, wanted: int | None) -> LedgerPlace:
    place = budget.reading.place(wanted) if wanted is not None else None
    return place if place is not None else budget.reading.end
