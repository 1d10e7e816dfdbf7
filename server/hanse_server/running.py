"""One run from its folder: read the signed proposal, conduct it, keep journal and result."""

import time
from datetime import UTC, datetime

from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.written_units import write_unit
from hanse_server.budget_reports import report_budget
from hanse_server.conductor import Conductor, RunFailedError, Transport
from hanse_server.consent_services import services_of
from hanse_server.league import LeagueHome, RunFolder
from hanse_server.league_ledger import LeagueLedger
from hanse_server.programmes import programme_for

HOME_VARIABLE = "HANSE_LEAGUE_HOME"
"""Tells the ServerApp where the centre's folder is; set for the SuperLink by ``hanse league serve``."""

RUN_SETTING = "run"
"""Name of the run in Flower's run configuration."""


def conduct_run(home: LeagueHome, *, run: str, transport: Transport) -> None:
    """Conduct one run; its journal ends with ``finished`` or ``failed``, whatever happens.

    Raises:
        HanseError: If the run failed (the journal has said so).
    """
    folder = RunFolder(home, run)
    if folder.result() is not None:
        raise RunFailedError(f"Run {run} has its result already.", "A run is made once: propose a new one.")
    started = time.monotonic()
    try:
        league, key = home.load(), home.key()
        signed_proposal = folder.signed_proposal()
        proposal = RunProposal.verify(signed_proposal, key=key.public)
        # Officers may have taken hours: whatever happened to the ledger since is found before a vault is asked.
        report_budget(services_of(home), home=home)
        conductor = Conductor(
            proposal=proposal,
            signed_proposal=signed_proposal,
            centre=league.centre.name,
            key=key,
            transport=transport,
            ledger=LeagueLedger.of(home),
            deadlines=league.deadlines,
            journal=folder.note,
            clock=lambda: datetime.now(tz=UTC),
        )
        folder.note({"event": "started", "rounds": proposal.rounds})
        released = conductor.conduct(programme_for(proposal))
        folder.write_result(
            {
                "version": 1,
                "run": proposal.run,
                "title": proposal.title,
                "proposal": proposal.digest,
                "partners": list(proposal.partners()),
                "unit": write_unit(proposal.unit),
                "epsilon_of_proposal": proposal.cost_epsilon(),
                "epsilon_stated": proposal.epsilon,
                "delta": proposal.delta,
                "metrics_share": proposal.metrics_share(),
                "released": released,
            }
        )
    except HanseError as error:
        folder.note({"event": "failed", "code": error.code, "what": error.what, "mend": error.mend})
        raise
    except Exception as error:
        folder.note(
            {
                "event": "failed",
                "code": "CENTRE_FAILED",
                "what": f"The centre failed ({type(error).__name__}).",
                "mend": "See the SuperLink's log.",
            }
        )
        raise
    folder.note({"event": "finished", "seconds": time.monotonic() - started})
