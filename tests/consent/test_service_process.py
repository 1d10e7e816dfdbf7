"""The service as a real process on loopback: import, manifest, withdrawal, kill, stop."""

import signal
import threading
import time
from datetime import UTC, datetime

import httpx
import pytest

from hanse_consent.acts import ActKind
from hanse_consent.errors import ConsentRefusedError, ConsentUnavailableError
from hanse_privacy.protocol.vocabulary import Tier


def customers(count: int) -> list[str]:
    return [f"{number:032x}" for number in range(count)]


def test_import_then_manifest_then_withdrawal(service, act, question):
    client = service.client()
    now = datetime.now(UTC)
    everyone = customers(1469)
    acts = [
        act(customer=customer, purpose=purpose, notice=notice, tier=Tier.STANDARD, said_at=now)
        for customer in everyone
        for purpose, notice in (("shared-statistics", "joint-statistics@1"), ("churn-model", "joint-model@2.1"))
    ]
    started = time.perf_counter()
    position = client.record_acts(acts)
    assert time.perf_counter() - started < 3
    assert position == len(acts)
    assert client.record_acts(acts) == position

    manifest = client.cohort_manifest(question(purpose="churn-model"))
    assert list(manifest.customers) == everyone
    assert manifest.position == position
    assert manifest.notice_versions == ("joint-model@2.1",)
    assert client.cohort_manifest(question(tier=Tier.ADVANCED)).count == 0
    assert client.cohort_manifest(question(tier=Tier.BASIC)).count == 1469
    assert service.client("elbe").cohort_manifest(question("elbe")).count == 0

    gone = everyone[::7]
    withdrawn_at = client.record_acts([act(ActKind.WITHDRAWAL, customer=c, said_at=datetime.now(UTC)) for c in gone])
    after = client.cohort_manifest(question())
    assert after.position == withdrawn_at
    assert set(after.customers) == set(everyone) - set(gone)
    assert client.cohort_manifest(question(purpose="churn-model")).count == 1469


def test_refusals_reach_the_client_with_the_services_code(service, act, question):
    client = service.client()
    with pytest.raises(ConsentRefusedError) as refused:
        client.cohort_manifest(question(purpose="churn-model", tier=Tier.BASIC))
    assert refused.value.refusal_code == "TIER_NOT_OFFERED"
    assert refused.value.status == 422
    with pytest.raises(ConsentRefusedError) as refused:
        client.cohort_manifest(question("elbe"))
    assert (refused.value.refusal_code, refused.value.status) == ("PARTNER_MISMATCH", 403)
    with pytest.raises(ConsentRefusedError) as refused:
        client.record_acts([act(said_at=datetime.now(UTC)), act(customer="f" * 32, preselected=True)])
    assert refused.value.refusal_code == "PRESELECTED_CONSENT"
    assert client.cohort_manifest(question()).position == 0


def test_withdrawal_acknowledged_is_never_in_a_later_manifest(service, act, question):
    everyone = customers(160)
    client = service.client()
    client.record_acts([act(customer=c, said_at=datetime.now(UTC)) for c in everyone])
    stale: list[str] = []
    trials = 0
    lock = threading.Lock()

    def withdraw(mine: list[str]) -> None:
        nonlocal trials
        own = service.client()
        acknowledged: set[str] = set()
        for customer in mine:
            position = own.record_acts([act(ActKind.WITHDRAWAL, customer=customer, said_at=datetime.now(UTC))])
            acknowledged.add(customer)
            manifest = own.cohort_manifest(question())
            with lock:
                trials += 1
                stale.extend(acknowledged & set(manifest.customers))
                if manifest.position < position:
                    stale.append("position")

    threads = [threading.Thread(target=withdraw, args=(everyone[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trials == 160
    assert stale == []
    assert client.cohort_manifest(question()).count == 0


def test_killed_service_means_no_manifest_and_loses_nothing_acknowledged(service, start_service, act, question):
    client = service.client()
    position = client.record_acts([act(customer=c, said_at=datetime.now(UTC)) for c in customers(5)])
    service.process.kill()
    service.process.wait()
    with pytest.raises(ConsentUnavailableError):
        client.cohort_manifest(question())
    again = start_service(service.folder)
    manifest = again.client().cohort_manifest(question())
    assert (manifest.position, manifest.count) == (position, 5)


def test_stopped_process_is_unavailable_within_the_deadline(service, question):
    service.process.send_signal(signal.SIGSTOP)
    started = time.perf_counter()
    with pytest.raises(ConsentUnavailableError):
        service.client(timeout_s=0.5).cohort_manifest(question())
    assert time.perf_counter() - started < 2
    service.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_stops_quickly_and_orderly(service, question, stop):
    service.client().cohort_manifest(question())
    started = time.perf_counter()
    service.process.send_signal(stop)
    assert service.process.wait(timeout=5) == 0
    assert time.perf_counter() - started < 2
    assert "Traceback" not in service.log.read_text()


def test_log_carries_no_pseudonym(service, act, question):
    customer = "c0ffee" + "0" * 26
    client = service.client()
    client.record_acts([act(customer=customer, said_at=datetime.now(UTC))])
    client.cohort_manifest(question())
    with pytest.raises(ConsentRefusedError):
        client.record_acts([act(customer=customer, purpose="unheard-of")])
    httpx.get(f"{service.url}/v1/customers/{customer}", trust_env=False)
    httpx.get(f"{service.url}/v1/notices?customer={customer}", trust_env=False)
    log = service.log.read_text()
    assert "POST /v1/acts 200" in log
    assert "GET (other path) 404" in log
    assert "c0ffee" not in log


def test_port_taken_is_one_sentence(service):
    port = service.url.rsplit(":", 1)[1]
    text = service.folder.config.read_text().replace("port = 0", f"port = {port}")
    other = service.folder.path / "other.toml"
    other.write_text(text)
    result = service.folder.run("serve", "--config", str(other))
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert f"port {port}" in result.stderr
    assert "[LISTEN_ADDRESS]" in result.stderr
