"""Starting a run and following its journal to the end."""

import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hanse_models.catalogue import load_catalogue
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server.conductor import RunFailedError
from hanse_server.drafting import complete, load_draft
from hanse_server.flower.processes import environment, prepare, submit_command
from hanse_server.league import League, LeagueHome, RunFolder
from hanse_server.league_ledger import LeagueLedger
from hanse_server.vouchers import with_vouchers

_POLL_S = 0.2
_SUBMIT_TIMEOUT_S = 120


class SubmissionError(HanseError):
    """The SuperLink did not take the run."""

    code = "SUBMISSION_FAILED"


def propose(home: LeagueHome, draft: Path) -> RunProposal:
    """Complete and sign a draft, and lay the run's folder out.

    Raises:
        HanseError: If draft, league, vouchers or key are not valid.
    """
    league, terms, now = home.load(), load_draft(draft), datetime.now(tz=UTC)
    proposal = complete(
        terms,
        league=vouched(league, home=home, now=now, valid_hours=terms.valid_hours),
        catalogue=load_catalogue(home.root / league.catalogue),
        now=now,
    )
    begin(home, proposal)
    return proposal


def vouched(league: League, *, home: LeagueHome, now: datetime, valid_hours: float) -> League:
    """The league for a proposal of so many hours, with the vouchers that lie in its folder.

    Raises:
        HanseError: If key or vouchers are not valid.
    """
    until = now + timedelta(hours=valid_hours)
    return with_vouchers(league, home.vouchers, centre=home.key().public, now=now, until=until)


def begin(home: LeagueHome, proposal: RunProposal) -> None:
    """Sign a proposal that the league's budget has room for, and lay the run's folder out.

    Raises:
        BudgetExhaustedError: If a person would lose more than the league's cap.
        HanseError: If the key or the ledger cannot be read, or the folder not written.
    """
    LeagueLedger.of(home).require_room_for(proposal)
    RunFolder(home, proposal.run).create(proposal.sign(home.key()))


def submit(home: LeagueHome, *, run: str) -> None:
    """Hand the run to the SuperLink.

    Raises:
        SubmissionError: If there is no SuperLink, or it refuses.
    """
    league = home.load()
    prepare(league, home)
    try:
        done = subprocess.run(
            submit_command(run=run),
            env=environment(home),
            capture_output=True,
            text=True,
            timeout=_SUBMIT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SubmissionError("The SuperLink did not take the run in time.", "Look at its log.") from error
    if done.returncode != 0:
        raise SubmissionError(
            f"The SuperLink at {league.superlink} did not take the run.",
            "Start it with 'hanse league serve' and look at its log.",
        )


def follow(home: LeagueHome, *, run: str, timeout_s: float, told: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Tell every event of a run's journal as it comes; return the result.

    Raises:
        RunFailedError: If the run failed, or said nothing more in time.
    """
    folder, seen, limit = RunFolder(home, run), 0, time.monotonic() + timeout_s
    while time.monotonic() < limit:
        for event in list(folder.events())[seen:]:
            seen += 1
            limit = time.monotonic() + timeout_s
            told(event)
            if event["event"] == "failed":
                # The code is that of what went wrong, such as BUDGET_EXHAUSTED.
                code = f" [{event['code']}]" if event["code"] != RunFailedError.code else ""
                raise RunFailedError(f"{event['what']}{code}", str(event["mend"]))
            result = folder.result()
            if event["event"] == "finished" and result is not None:
                return result
        time.sleep(_POLL_S)
    raise RunFailedError(
        f"Run {run} said nothing for {timeout_s:g} seconds.", "Look at the SuperLink's log, then propose it again."
    )
