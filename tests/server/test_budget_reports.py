"""The centre tells consent services how its ledger stands; one that went back starts no run."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from written_league import written_league

from hanse_consent.budgets.kept_reports import KeptReports
from hanse_consent.budgets.receiving import Budgets
from hanse_consent.errors import ConsentAnswerInvalidError, ConsentRefusal, ConsentRefusedError, ConsentUnavailableError
from hanse_consent.storage.database import Database
from hanse_privacy.accounting import ReleaseEvent
from hanse_privacy.caps import Charge
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.league_budget_report import LeagueBudgetReport
from hanse_privacy.protocol.ledger_report import BudgetOutcome, BudgetReceipt
from hanse_server import budget_reports, league_ledger
from hanse_server.budget_reports import report_budget
from hanse_server.consent_services import ServedPartners
from hanse_server.league import LeagueHome
from hanse_server.league_budget import LeagueBudget
from hanse_server.league_ledger import LeagueLedger
from hanse_server.league_ledger_file import LeagueLedgerError

KEYS = {name: SigningKey.generate() for name in ("north", "south", "consent")}
EVENT = ReleaseEvent(squared_sensitivity=100**2, variance_parameter=40_000**2, shares=2, size=50)


@dataclass
class Service:
    """What a consent service makes of the reports, without its network."""

    budgets: Budgets
    centre: SigningKey

    def report_league_budget(self, report: LeagueBudgetReport) -> BudgetReceipt:
        try:
            receipt = self.budgets.from_centre(report.sign(self.centre), centre="centre")
        except ConsentRefusal as error:
            raise ConsentRefusedError(
                "Refused.", "Mend it.", status=error.status, refusal_code=error.code, refusal_detail=error.what
            ) from error
        return BudgetReceipt.verify(receipt, key=KEYS["consent"].public)

    def known(self, partner: str) -> tuple[int, int | None]:
        """Where the ledger ended by the last word, and by an older one that was refused."""
        (league,) = self.budgets.page(partner).leagues
        return league.signed.document.ledger.position, league.older_ledger.position if league.older_ledger else None


@pytest.fixture
def home(tmp_path: Path) -> LeagueHome:
    return written_league(tmp_path, **KEYS)


@pytest.fixture
def service(tmp_path: Path, home: LeagueHome) -> Iterator[Service]:
    centre = home.key()
    with closing(Database(tmp_path / "consent.sqlite")) as database:
        yield Service(
            budgets=Budgets(
                KeptReports(database=database, key=KEYS["consent"], now=lambda: datetime.now(tz=UTC)),
                key_of_vault=lambda party: KEYS[party].public,
                key_of_centre=lambda party: centre.public,
            ),
            centre=centre,
        )


def ask(home: LeagueHome, run: str) -> None:
    charge = Charge(
        run=run, round=1, attempt=1, operation="count", purpose="statistics", data_categories=(), event=EVENT
    )
    LeagueLedger.of(home).ask(["north", "south"], charge, vaults_of_unit=1)


def tell(home: LeagueHome, service: Service) -> None:
    report_budget([ServedPartners(service=service, partners=("north", "south"))], home=home)


def test_every_partners_service_hears_of_every_entry(home: LeagueHome, service: Service) -> None:
    for number in range(3):
        tell(home, service)
        tell(home, service)
        assert service.known("north") == service.known("south") == (2 * number, None)
        ask(home, f"run-{number}")


@pytest.mark.parametrize("more", [0, 1, 5])
def test_an_older_ledger_starts_no_run_however_much_was_asked_since(
    home: LeagueHome, service: Service, more: int
) -> None:
    ask(home, "first")
    older, newest = home.root / "older.db", home.root / "newest.db"
    shutil.copy(home.ledger, older)
    ask(home, "second")
    tell(home, service)
    shutil.copy(home.ledger, newest)
    shutil.copy(older, home.ledger)
    for number in range(more):
        ask(home, f"other-{number}")
    for _ in range(2):
        with pytest.raises(LeagueLedgerError, match="newer ledger"):
            tell(home, service)
    assert service.known("north") == (4, 2 + 2 * more)
    shutil.copy(newest, home.ledger)
    tell(home, service)
    assert service.known("north") == (4, 2 + 2 * more)


def test_a_ledger_that_was_lost_is_not_replaced_by_an_empty_one(home: LeagueHome, service: Service) -> None:
    ask(home, "first")
    tell(home, service)
    home.ledger.unlink()
    with pytest.raises(LeagueLedgerError, match="newer ledger"):
        tell(home, service)
    assert service.known("north") == (2, 0)


def test_runs_that_report_at_once_do_not_take_each_other_for_older(home: LeagueHome, service: Service) -> None:
    tell(home, service)

    def run(number: int) -> None:
        tell(home, service)
        ask(home, f"run-{number}")
        tell(home, service)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run, range(18)))
    for partner in ("north", "south"):
        position, older = service.known(partner)
        assert older is None
        assert position <= 36
    tell(home, service)
    assert service.known("north") == (36, None)


@dataclass
class Scripted(Service):
    """Answers as it is told, and says how often it was asked."""

    outcome: BudgetOutcome | Exception
    asked: int = 0

    def report_league_budget(self, report: LeagueBudgetReport) -> BudgetReceipt:
        self.asked += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return BudgetReceipt(
            partner=report.partner,
            report=report.digest,
            received_at=report.said_at,
            outcome=self.outcome,
            last_position=7,
        )


def refusal(code: str) -> ConsentRefusedError:
    return ConsentRefusedError("Refused.", "Mend it.", status=409, refusal_code=code, refusal_detail="No.")


@pytest.mark.parametrize(
    ("outcome", "error", "is_said_again"),
    [
        (BudgetOutcome.SHOW_LAST, ConsentAnswerInvalidError, True),
        (BudgetOutcome.OLDER_LEDGER, LeagueLedgerError, False),
        (refusal("BUDGET_REPORT_OUTDATED"), ConsentRefusedError, True),
        (refusal("BUDGET_REPORT_INVALID"), ConsentRefusedError, False),
        (ConsentUnavailableError("Gone.", "Start it."), ConsentUnavailableError, False),
    ],
)
def test_without_a_receipt_that_it_is_the_newest_nothing_starts(
    home: LeagueHome,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    outcome: BudgetOutcome | Exception,
    error: type[Exception],
    is_said_again: bool,
) -> None:
    monkeypatch.setattr(budget_reports, "_PATIENCE_S", 0.5)
    scripted = Scripted(budgets=service.budgets, centre=service.centre, outcome=outcome)
    with pytest.raises(error):
        tell(home, scripted)
    assert (scripted.asked > 2) is is_said_again


def test_a_clock_that_was_set_back_a_little_makes_no_ledger_an_older_one(
    home: LeagueHome, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(home, service)
    first = LeagueBudget.read(home)
    read_before = first.report("north", centre="centre", before=first.reading.end)

    class Behind(datetime):
        """25 seconds ago."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Behind":
            return cls.fromtimestamp((datetime.now(tz=UTC) - timedelta(seconds=25)).timestamp(), tz=tz)

    monkeypatch.setattr(league_ledger, "datetime", Behind)
    ask(home, "b")
    tell(home, service)
    assert service.known("north") == (2, None)
    # What was read before, and comes after: held up, and nothing worse.
    with pytest.raises(ConsentRefusedError) as refused:
        service.report_league_budget(read_before)
    assert refused.value.refusal_code == "BUDGET_REPORT_OUTDATED"
    assert service.known("north") == (2, None)
    tell(home, service)
