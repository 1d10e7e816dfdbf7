"""What anybody may read, and starts that cannot be."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from installed_service import RunningService, hanse
from league_files import SERVICE, LeagueFolder, lay_out
from speakers import Speaker, good, problem
from typer.testing import CliRunner

from hanse_consent.api.metrics import ServiceMetrics
from hanse_consent.commands import app
from hanse_consent.configuration import load_configuration
from hanse_consent.opening import open_service, open_store
from hanse_privacy.errors import HanseError


@pytest.fixture(scope="module")
def anybody(service: RunningService) -> Speaker:
    return Speaker(service=service)


def test_health_and_readiness(anybody: Speaker) -> None:
    assert good(anybody.get("/v1/health")) == {"status": "ok", "service": SERVICE}
    ready = good(anybody.get("/v1/ready"))
    assert (ready["ready"], ready["registry_version"]) == (True, 1)
    assert set(ready["pack_versions"]) == {"gdpr", "pipl", "house"}


def test_purposes_and_notices_are_those_of_the_files(anybody: Speaker) -> None:
    found = good(anybody.get("/v1/purposes"))
    names = [purpose["name"] for purpose in found["purposes"]]
    assert names == ["churn-detail", "churn-model", "health-offers", "joint-statistics"]
    notices = good(anybody.get("/v1/notices"))["notices"]
    assert len(notices) == 5
    for notice in notices:
        name = f"{notice['name']}@{notice['version']}.{notice['language']}.md"
        text = (anybody.service.folder.path / "notices" / name).read_bytes()
        assert notice["text"].encode() == text
        assert notice["sha256"] == hashlib.sha256(text).hexdigest()


def test_notices_come_in_pages_that_keep_languages_together(anybody: Speaker) -> None:
    pages, after = [], ""
    while True:
        page = good(anybody.get(f"/v1/notices?limit=1{after}"))
        pages.append({(one["name"], one["language"]) for one in page["notices"]})
        if page["next_after"] is None:
            break
        after = f"&after={page['next_after']}"
    assert pages == [
        {("churn", "en")},
        {("health", "en")},
        {("later", "en")},
        {("statistics", "en"), ("statistics", "de")},
    ]
    problem(anybody.get("/v1/notices?limit=0"), 400, "REQUEST_INVALID")
    problem(anybody.get("/v1/notices?after=%00"), 400, "REQUEST_INVALID")


def test_unknown_addresses_and_methods(anybody: Speaker) -> None:
    problem(anybody.get("/v1/customers"), 404, "NOT_FOUND")
    problem(anybody.get("/docs"), 404, "NOT_FOUND")
    problem(anybody.get("/v1/health/"), 404, "NOT_FOUND")
    refused = anybody.get("/v1/acts")
    problem(refused, 405, "METHOD_NOT_ALLOWED")
    assert refused.headers["allow"] == "POST"


def spoil_notice(folder: LeagueFolder) -> None:
    (folder.path / "notices" / "churn@1.en.md").write_text("Something else.")


def incomplete_notice(folder: LeagueFolder) -> None:
    index = folder.path / "notices" / "notices.toml"
    index.write_text(index.read_text().replace('complaint = "The authority of your country."', "", 1))


def lose_a_key(folder: LeagueFolder) -> None:
    (folder.path / "service.key").unlink()


def widen_purpose(folder: LeagueFolder) -> None:
    purposes = folder.path / "purposes.toml"
    purposes.write_text(purposes.read_text().replace('= { standard = ["', '= { standard = ["pd:AgeRange", "', 1))


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (spoil_notice, "NOTICE_CHANGED"),
        (incomplete_notice, "NOTICE_INCOMPLETE"),
        (widen_purpose, "PURPOSE_WIDENED"),
        (lose_a_key, "KEY_FILE"),
    ],
)
def test_a_start_that_cannot_be_is_refused_and_changes_nothing(
    tmp_path: Path, spoil: Callable[[LeagueFolder], None], code: str
) -> None:
    folder = lay_out(tmp_path / "consent")
    configuration = load_configuration(folder.config)
    if code != "NOTICE_INCOMPLETE":
        with open_service(configuration, metrics=ServiceMetrics()):
            pass
    spoil(folder)
    checked = CliRunner().invoke(app, ["check", "--config", str(folder.config)])
    assert isinstance(checked.exception, HanseError)
    assert (checked.exception.code, checked.exception.exit_code) == (code, 2)
    with pytest.raises(HanseError) as refused, open_service(configuration, metrics=ServiceMetrics()):
        pass
    assert refused.value.code == code
    if code != "NOTICE_INCOMPLETE":
        with open_store(configuration) as store:
            assert store.registry().version == 1


def test_a_start_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "consent")
    incomplete_notice(folder)
    result = hanse("serve", "--config", str(folder.config))
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1), result.stderr
    assert "[NOTICE_INCOMPLETE]" in result.stderr
    assert "GDPR 13" in result.stderr


def test_check_counts_and_changes_nothing(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "consent")
    result = CliRunner().invoke(app, ["check", "--config", str(folder.config)])
    assert (result.exit_code, result.stderr) == (0, "")
    assert "3 controllers, 4 purposes, 5 notices" in result.stdout
    assert not (folder.path / "consent.db").exists()


def test_a_port_that_is_taken_is_one_sentence(service: RunningService) -> None:
    port = service.url.rpartition(":")[2]
    other = service.folder.path / "taken.toml"
    other.write_text(service.folder.config.read_text().replace("port = 0", f"port = {port}"))
    result = hanse("serve", "--config", str(other))
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert f"port {port}" in result.stderr
    assert "[LISTEN_ADDRESS]" in result.stderr
