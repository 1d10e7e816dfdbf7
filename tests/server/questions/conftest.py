"""The two shops' league, laid out but not started, for questions that nobody has to answer."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hanse_demo.workshop import lay_out
from hanse_models.catalogue import Catalogue, load_catalogue
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server.league import League, LeagueHome
from hanse_server.questions.asking import question_proposal
from hanse_server.questions.terms import Terms

OWN_DATA = Path(__file__).parents[3] / "examples" / "own_data"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LeagueHome]:
    with lay_out(OWN_DATA, tmp_path_factory.mktemp("questions") / "league") as workshop:
        yield workshop.league


@pytest.fixture(scope="module")
def league(home: LeagueHome) -> League:
    return home.load()


@pytest.fixture(scope="module")
def catalogue(home: LeagueHome, league: League) -> Catalogue:
    return load_catalogue(home.root / league.catalogue)


@pytest.fixture(scope="module")
def proposed(league: League, catalogue: Catalogue) -> Callable[..., RunProposal]:
    """Writes the proposal of a question."""

    def write(terms: Terms, *only: str, epsilon: float = 1.0) -> RunProposal:
        now = datetime.now(tz=UTC)
        return question_proposal(terms, only=only, epsilon=epsilon, league=league, catalogue=catalogue, now=now)

    return write
