"""One proposed run from its approval to its result, told as it goes."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rich.console import Console

from hanse_consent.runs.standing import RunStanding
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.terminal import plain
from hanse_server.approval import record_outcome, seek_approval
from hanse_server.league import LeagueHome
from hanse_server.submission import follow, submit

_QUIET_LIMIT_S = 3700.0


def carry_out(home: LeagueHome, proposal: RunProposal, *, console: Console) -> dict[str, Any]:
    """Have a run approved, hand it to the SuperLink, follow it, and record its outcome; return its result.

    Raises:
        HanseError: If it was not approved, or failed.
    """
    console.print(f"Run {proposal.run}: ε = {proposal.cost_epsilon():.3f}, δ = {proposal.delta:g}", highlight=False)
    console.print(proposal.guarantee.explain(), highlight=False, markup=False)
    console.print("Compliance officers of every partner have to approve it in their consent service.")
    seek_approval(
        home,
        proposal=proposal,
        timeout_s=home.load().deadlines.approval_s,
        told=_standings_on(console),
    )
    submit(home, run=proposal.run)
    try:
        result = follow(home, run=proposal.run, timeout_s=_QUIET_LIMIT_S, told=_events_on(console))
    except HanseError:
        # Why the run failed matters more than whether that could be recorded.
        with suppress(HanseError):
            record_outcome(home, proposal=proposal)
        raise
    try:
        record_outcome(home, proposal=proposal)
    except HanseError as error:
        # The result is there, and was paid for.
        said = f"WARNING: what became of the run is not recorded everywhere: {error.what} {error.mend} [{error.code}]"
        console.print(plain(said), highlight=False, markup=False)
    return result


def _standings_on(console: Console) -> Callable[[tuple[RunStanding, ...]], None]:
    def tell(standings: tuple[RunStanding, ...]) -> None:
        for standing in standings:
            console.print(f"  {plain(standing.in_words())}", highlight=False, markup=False)

    return tell


def _events_on(console: Console) -> Callable[[dict[str, Any]], None]:
    def tell(event: dict[str, Any]) -> None:
        details = ", ".join(f"{name} {value}" for name, value in event.items() if name != "event")
        told = f"  {event['event']}{': ' if details else ''}{details}"
        console.print(plain(told), highlight=False, markup=False)

    return tell
