"""Several versions of one law side by side: which of them is asked depends on the moment asked about."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.consent.law.changed_law import BEFORE, CHANGE, SHIPPED, changed_packs, lay_out, second_version
from tests.consent.law.scenarios_duties import found as duties_found
from tests.consent.law.small_registry import EMPTY, act, agreement, notice, only, registry

from hanse_consent.domain.parties import AgreementRole
from hanse_consent.errors import ConsentRefusal
from hanse_consent.law.clock_rules import ClockMatter
from hanse_consent.law.clocks import start_clocks
from hanse_consent.law.documentation import law_page
from hanse_consent.law.errors import LawPackInvalidError, RecordIncompleteError
from hanse_consent.law.packs import LawPacks, load_shipped_packs, read_packs
from hanse_consent.law.publishing import registry_findings
from hanse_consent.law.record_checks import require_record_complete, required_fields
from hanse_consent.law.record_rules import RecordKind
from hanse_consent.law.writing import ActChecker

FIRST = load_shipped_packs().pack("gdpr", at=BEFORE).version
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> LawPacks:
    return changed_packs(tmp_path_factory.mktemp("packs"))


def test_of_each_law_one_version_is_in_force(packs: LawPacks) -> None:
    assert [pack.name for pack in packs.packs] == ["gdpr", "gdpr", "pipl", "house"]
    for at, version in ((BEFORE, FIRST), (CHANGE, "2027.3"), (CHANGE + 999 * DAY, "2027.3")):
        assert [pack.name for pack in packs.in_force(at)] == ["gdpr", "pipl", "house"]
        assert packs.versions(at)["gdpr"] == version
        assert packs.pack("gdpr", at=at).version == version
    early = datetime.fromisoformat("2018-05-24T00:00:00+00:00")
    assert packs.versions(early).keys() == {"house"}
    assert packs.pack("gdpr", at=early) is None
    assert packs.pack("unheard-of", at=CHANGE) is None
    assert packs.names == {"gdpr", "pipl", "house"}
    assert CHANGE in packs.changes


def test_the_order_of_the_files_does_not_matter(packs: LawPacks) -> None:
    backwards = LawPacks(packs=packs.packs[::-1])
    for at in (BEFORE, CHANGE):
        assert backwards.versions(at) == packs.versions(at)


def test_a_rule_may_recur_in_a_later_version(packs: LawPacks) -> None:
    rules = {at: {rule.id for pack in packs.in_force(at) for rule in pack.rules} for at in (BEFORE, CHANGE)}
    assert "G-5a" in rules[BEFORE] & rules[CHANGE]
    assert rules[CHANGE] - rules[BEFORE] == {"G-99"}
    assert rules[BEFORE] - rules[CHANGE] == {"G-7.2"}
    without = packs.without("G-5a")
    assert not [pack for pack in without.packs if "G-5a" in {rule.id for rule in pack.rules}]


def test_decisions_of_other_laws_may_not_share_an_id_at_one_moment(packs: LawPacks) -> None:
    first, second, pipl, house = packs.packs
    moved = pipl.model_copy(update={"decisions": (*pipl.decisions, second.decisions[-1])})
    with pytest.raises(ValueError, match=r"two packs from 2027-03-01.*G-99"):
        LawPacks(packs=(first, second, moved, house))
    # Before that moment nobody else had it.
    LawPacks(packs=(first, moved, house))


@pytest.mark.parametrize(
    ("name", "version", "in_force_from", "told"),
    [
        ("gdpr-2027.4", "2027.3", CHANGE, "gdpr-2027.4.toml holds version 2027.3 of gdpr"),
        ("pipl-2027.3", "2027.3", CHANGE, "pipl-2027.3.toml holds version 2027.3 of gdpr"),
        ("gdpr_2027.3", "2027.3", CHANGE, "gdpr_2027.3.toml is no version of a law"),
        ("uk-2027.3", "2027.3", CHANGE, "uk-2027.3.toml is no version of a law"),
        ("gdpr-2026.1", "2026.1", CHANGE, "versions of gdpr"),
        ("gdpr-2027.3", "2027.3", datetime.fromisoformat("2018-05-25T00:00:00+00:00"), "versions of gdpr"),
        ("gdpr-2027.3", "2027.3", datetime.fromisoformat("2018-01-01T00:00:00+00:00"), "versions of gdpr"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(
    tmp_path: Path, name: str, version: str, in_force_from: datetime, told: str
) -> None:
    with pytest.raises(LawPackInvalidError) as refused:
        read_packs(lay_out(tmp_path, **{name: second_version(version, in_force_from)}))
    assert told in str(refused.value)


def test_versions_are_numbers(tmp_path: Path) -> None:
    # 2027.10 comes after 2027.9.
    later = {
        "gdpr-2027.9": second_version("2027.9", CHANGE),
        "gdpr-2027.10": second_version("2027.10", CHANGE + DAY),
    }
    packs = read_packs(lay_out(tmp_path, **later))
    assert packs.versions(CHANGE + DAY)["gdpr"] == "2027.10"


def test_the_first_file_of_a_law_has_to_be_there(tmp_path: Path) -> None:
    lay_out(tmp_path, **{"gdpr-2027.3": second_version()})
    (tmp_path / "gdpr.toml").unlink()
    with pytest.raises(LawPackInvalidError, match="cannot be read"):
        read_packs(tmp_path)


def test_a_law_stays_one_that_governs_everybody_or_does_not(packs: LawPacks) -> None:
    house = packs.packs[-1]
    later = house.model_copy(update={"version": "2027.3", "in_force_from": CHANGE, "territories": frozenset({"DE"})})
    with pytest.raises(ValueError, match="versions of house"):
        LawPacks(packs=(*packs.packs, later))


def test_the_shipped_packs_are_what_the_folder_holds() -> None:
    assert load_shipped_packs() == read_packs(SHIPPED)


# ---- Each kind of rule -----------------------------------------------------------------------------------------------


def test_acts_are_held_against_the_law_of_their_recording(packs: LawPacks) -> None:
    law = only(packs, "gdpr")
    ticked = act(said_at=BEFORE - DAY, preselected=True)
    with pytest.raises(ConsentRefusal, match=r"G-7\.2"):
        ActChecker(registry=registry(), packs=law, recorded_at=BEFORE).check(ticked, "acts.0")
    ActChecker(registry=registry(), packs=law, recorded_at=CHANGE).check(ticked, "acts.0")


def test_notices_are_held_against_the_law_of_their_publication(packs: LawPacks) -> None:
    law = only(packs, "gdpr")
    silent = registry(notices=(notice(statements={"means": ""}),))

    def told(at: datetime, before=EMPTY) -> list[str]:
        return [finding.rule.id for finding in registry_findings(silent, before=before, packs=law, at=at)]

    assert told(BEFORE) == []
    assert told(CHANGE) == ["G-13"]
    assert told(CHANGE, before=silent) == [], "it was complete when it was published"


def test_a_clock_runs_under_the_law_of_its_beginning(packs: LawPacks) -> None:
    def last_day(started_at: datetime) -> str:
        law = packs.pack("gdpr", at=started_at)
        (clock,) = start_clocks(ClockMatter.ACCESS, pack=law, started_at=started_at, zone=ZoneInfo("UTC"))
        return str(clock.due(started_at + 365 * DAY).last_day)

    assert (last_day(BEFORE), last_day(CHANGE)) == ("2027-04-01", "2027-03-15")


def test_records_hold_what_the_law_of_the_moment_wants(packs: LawPacks) -> None:
    law = only(packs, "gdpr")
    assert required_fields(RecordKind.REFUSED_REQUEST, packs=law, at=BEFORE) == {"reason", "complaint", "decided_at"}
    assert required_fields(RecordKind.REFUSED_REQUEST, packs=law, at=CHANGE) == {"reason", "decided_by"}
    fields = {"reason": "no", "complaint": "there", "decided_at": "then"}
    require_record_complete(RecordKind.REFUSED_REQUEST, fields, packs=law, at=BEFORE)
    with pytest.raises(RecordIncompleteError, match="decided_by"):
        require_record_complete(RecordKind.REFUSED_REQUEST, fields, packs=law, at=CHANGE)


def test_duties_are_those_of_the_law_of_the_moment(packs: LawPacks) -> None:
    ended = registry(agreements=(agreement("centre", AgreementRole.PROCESSOR, ends_at=CHANGE - 9 * DAY),))
    codes = {at: {f.code for f in duties_found(packs, ended, at=at) if f.rule == "G-28.3"} for at in (BEFORE, CHANGE)}
    assert codes == {BEFORE: {"RETURN_NOT_ATTESTED"}, CHANGE: {"PAPER_ENDED"}}


def test_the_page_tells_of_every_version(packs: LawPacks) -> None:
    page = law_page(packs)
    assert f"Pack `gdpr`, version {FIRST}, in force from 2018-05-25 up to 2027-03-01." in page
    assert "Pack `gdpr`, version 2027.3, in force from 2027-03-01." in page
    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert len(set(headings)) == len(headings)
