"""What a service's log holds: each request's pattern, and nothing of anybody in it."""

import secrets
from collections.abc import Callable

import httpx
from installed_service import RunningService, add_account
from league_files import LeagueFolder
from speakers import Node, Person, act, good


def test_the_log_names_addresses_and_nobody(
    make_folder: Callable[[], LeagueFolder], start_service: Callable[..., RunningService]
) -> None:
    service = start_service(make_folder())
    node, given, own = Node(service=service), secrets.token_hex(12), secrets.token_hex(12)
    service.secrets |= {given, own}
    add_account(service.folder, "olga", "officer@alster", password=given)
    person = Person(service=service)
    person.sign_in("olga", own)
    person.sign_in("olga", given)
    person.change_password(given, own)
    customer = node.customer()
    good(node.record(act(customer=customer, key=f"key-of-{customer}")))
    node.record(act(customer=customer, purpose="unheard-of"))
    good(person.check(customer))
    good(person.timeline(customer))
    node.document("receipts", customer)
    good(node.record(act("erasure", customer=customer)))
    httpx.get(f"{service.url}/v1/customers/{customer}?reason={own}", trust_env=False)
    httpx.get(f"{service.url}/v1/runs/{customer}?controller={customer}", trust_env=False)
    httpx.get(f"{service.url}/v1/notices?after={customer}", trust_env=False)
    httpx.request("PROPFIND", f"{service.url}/v1/acts", trust_env=False)
    assert service.stop() == 0
    log = service.log.read_text()
    for line in (
        "POST /v1/acts 200",
        "POST /v1/acts 422",
        "POST /v1/sessions 401",
        "POST /v1/sessions 201",
        "GET (other path) 404",
        "GET /v1/runs/{run} 40",  # unauthorised, or no run: as the pseudonym begins with a letter or a digit
        "GET /v1/notices 400",
        "(other method) /v1/acts 405",
    ):
        assert line in log, log
    assert service.leaked() == []
    assert "Bearer" not in log
    assert "olga" not in log
