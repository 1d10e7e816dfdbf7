"""Before a run starts: officers of every controller approve it, and the centre waits for them.

Nothing here is needed for safety: a vault that finds no approval refuses. It spares everybody a run that cannot be.
"""

import time
from collections.abc import Callable, Sequence

from hanse_consent.errors import ConsentUnavailableError
from hanse_consent.runs.standing import RunOutcome, RunStage, RunStanding
from hanse_privacy.accounting import epsilon_of
from hanse_privacy.canonical import canonical_digest
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server.budget_reports import report_budget
from hanse_server.consent_services import ServedPartners, services_of
from hanse_server.league import LeagueHome, RunFolder
from hanse_server.league_ledger import LeagueLedger

POLL_S = 1.0


class NotApprovedError(HanseError):
    """The run may not start: somebody refused it, or nobody decided in time."""

    code = "RUN_NOT_APPROVED"


def seek_approval(
    home: LeagueHome,
    *,
    proposal: RunProposal,
    timeout_s: float,
    told: Callable[[tuple[RunStanding, ...]], object],
    poll_s: float = POLL_S,
) -> None:
    """Tell every consent service how the league's budget stands, then do as :func:`require_approval`.

    Raises:
        LeagueLedgerError: If a service was told of a newer ledger of the league; nothing is submitted.
        NotApprovedError: If the run may not start.
        HanseError: If a service does not answer, or does not take budget or proposal.
    """
    services = services_of(home)
    report_budget(services, home=home)
    require_approval(
        services,
        proposal=proposal,
        signed_proposal=RunFolder(home, proposal.run).signed_proposal(),
        timeout_s=timeout_s,
        told=told,
        poll_s=poll_s,
    )


def require_approval(
    services: Sequence[ServedPartners],
    *,
    proposal: RunProposal,
    signed_proposal: bytes,
    timeout_s: float,
    told: Callable[[tuple[RunStanding, ...]], object],
    poll_s: float = POLL_S,
) -> None:
    """Submit a run for approval and wait until every controller of its roster has approved it.

    Args:
        services: The consent services of all partners in the roster.
        proposal: The run.
        signed_proposal: The same, signed.
        timeout_s: How long officers may take.
        told: Called with where the run stands at every controller, once at the start and after each change.
        poll_s: Seconds between two questions.

    Raises:
        NotApprovedError: If a controller refused, revoked or let it expire, with rule and article; or time is up.
        HanseError: If a service does not answer, or does not take the proposal.
    """
    for served in services:
        served.service.submit_run(signed_proposal)
    limit, known = time.monotonic() + timeout_s, tuple[RunStanding, ...]()
    while True:
        try:
            standings = _standings(services, proposal)
        except ConsentUnavailableError:
            # People may take hours, and a service may be started anew meanwhile.
            if time.monotonic() > limit:
                raise
            time.sleep(poll_s)
            continue
        if standings != known:
            known = standings
            told(standings)
        over = [one for one in standings if not (one.stage.is_open or one.stage is RunStage.APPROVED)]
        if over:
            raise NotApprovedError(
                f"Run {proposal.run} may not start. {'. '.join(one.in_words() for one in over)}.",
                "Mend what is named and propose it again; nothing was spent.",
            )
        waiting = [one for one in standings if one.stage is not RunStage.APPROVED]
        if not waiting:
            return
        if time.monotonic() > limit:
            raise NotApprovedError(
                f"After {timeout_s:g} seconds run {proposal.run} still waits for officers of"
                f" {', '.join(one.controller for one in waiting)}.",
                "Ask them to decide in their consent service, then propose it again.",
            )
        time.sleep(poll_s)


def record_outcome(home: LeagueHome, *, proposal: RunProposal) -> None:
    """Tell every consent service what became of a run, from the run's own journal and result, and what is spent now.

    Attempts that were asked count as paid, whether or not they were answered.

    Raises:
        HanseError: If a service does not answer, or refuses.
    """
    folder = RunFolder(home, proposal.run)
    begun = max((int(event["round"]) for event in folder.events() if event["event"] == "round-started"), default=0)
    result = folder.result()
    outcome = RunOutcome(
        proposal=proposal.digest,
        completed=result is not None,
        result_sha256=canonical_digest(result) if result is not None else None,
        rounds=begun,
        epsilon_spent=epsilon_of(LeagueLedger.of(home).attempts(proposal.run), delta=proposal.delta),
    )
    services = services_of(home)
    for served in services:
        served.service.record_outcome(proposal.run, outcome)
    report_budget(services, home=home)


def _standings(services: Sequence[ServedPartners], proposal: RunProposal) -> tuple[RunStanding, ...]:
    found: list[RunStanding] = []
    for served in services:
        report = served.service.run_state(proposal.run)
        standings = {one.controller: one for one in report.standings}
        missing = sorted(set(served.partners) - set(standings))
        if missing or report.proposal != proposal.digest:
            raise NotApprovedError(
                f"A consent service does not decide on run {proposal.run} for {', '.join(missing) or 'these terms'}.",
                "Mend consent_services in league.toml, or have the partner registered there.",
            )
        found += [standings[partner] for partner in served.partners]
    return tuple(found)
