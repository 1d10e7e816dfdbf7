"""The Flower ServerApp of a league: it reads one signed proposal and conducts its run."""

import os
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from hanse_server.flower.transport import FlowerTransport
from hanse_server.league import LeagueHome
from hanse_server.running import HOME_VARIABLE, RUN_SETTING, conduct_run

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Conduct the run that ``hanse league run`` signed; the home comes from the SuperLink's environment."""
    home = LeagueHome(root=Path(os.environ[HOME_VARIABLE]))
    conduct_run(home, run=str(context.run_config[RUN_SETTING]), transport=FlowerTransport(grid))
