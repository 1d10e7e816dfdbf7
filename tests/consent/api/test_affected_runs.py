"""A customer says no, a round uses them, and only then is it recorded: the officer is told, and told nobody's name."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from installed_service import RunningService, hanse
from run_terms import decide, question
from speakers import Node, Person, act, good, now, problem

from hanse_consent.domain.affected_runs import AffectedAct, AffectedRunPage
from hanse_privacy.protocol.cohort import Cohort
from hanse_privacy.protocol.proposal import RunProposal

ADDRESS = "/v1/affected-runs?controller=alster"
EARLIER = timedelta(minutes=2)


def pages(person: Person, limit: int = 50) -> list[AffectedAct]:
    """All affected acts, page by page."""
    found: list[AffectedAct] = []
    after = 0
    while True:
        page = AffectedRunPage.model_validate(good(person.get(f"{ADDRESS}&after={after}&limit={limit}")))
        found += page.affected
        if page.next_after is None:
            return found
        after = page.next_after


def said_too_late(
    node: Node, officer: Person, asked: RunProposal, known: Callable[..., str], *kinds: str
) -> tuple[list[str], Cohort, datetime]:
    """Customers who were in a round and had said no before it, each in another way."""
    good(decide(officer, asked))
    customers = [known({"said_at": (now() - timedelta(hours=1)).isoformat()}) for _ in kinds]
    said_at = now() - EARLIER
    cohort = node.client().cohort_manifest(question(asked))
    assert set(customers) <= set(cohort.customers)
    acts: list[dict[str, Any]] = [
        act(kind, customer=customer, said_at=said_at.isoformat())
        for kind, customer in zip(kinds, customers, strict=True)
    ]
    good(node.record(*acts))
    return customers, cohort, said_at


def test_an_officer_is_told_which_rounds_an_act_came_too_late_for(
    submit: Callable[..., RunProposal], node: Node, officer: Person, known: Callable[..., str]
) -> None:
    asked = submit()
    kinds = ("withdrawal", "erasure", "restriction")
    customers, cohort, said_at = said_too_late(node, officer, asked, known, *kinds)
    told = [one for one in pages(officer) if any(use.run == asked.run for use in one.uses)]
    assert [one.kind.value for one in told] == list(kinds)
    assert [one.position for one in told] == list(range(node.position() - 2, node.position() + 1))
    for one in told:
        (use,) = (use for use in one.uses if use.run == asked.run)
        assert (use.manifest, use.round, use.purpose) == (cohort.manifest.digest, 1, cohort.manifest.purpose)
        assert one.said_at == said_at < use.issued_at < one.recorded_at
    text = officer.get(ADDRESS).text
    assert not [customer for customer in customers if customer in text]
    # Page by page it is the same.
    assert pages(officer, limit=1) == pages(officer)


def test_what_was_recorded_in_time_is_not_told(
    submit: Callable[..., RunProposal], node: Node, officer: Person, known: Callable[..., str]
) -> None:
    asked = submit()
    good(decide(officer, asked))
    known({}, {"kind": "withdrawal"})
    node.client().cohort_manifest(question(asked))
    assert asked.run not in {use.run for one in pages(officer) for use in one.uses}


def test_only_the_controllers_own_officers_are_told(people: dict[str, Person], node: Node) -> None:
    for name in ("anja", "petra", "sven", "till", "otto"):
        problem(people[name].get(ADDRESS), 403, "PERMISSION_MISSING")
    problem(node.get(ADDRESS), 401, "SESSION_INVALID")
    assert good(people["otto"].get("/v1/affected-runs?controller=taihu")) == {"affected": [], "next_after": None}
    for wrong in ("limit=0", "limit=201", "after=-1", "after=x", "before=1"):
        assert people["olga"].get(f"{ADDRESS}&{wrong}").json()["code"] == "REQUEST_INVALID"


def test_the_command_says_the_same(
    service: RunningService,
    submit: Callable[..., RunProposal],
    node: Node,
    officer: Person,
    known: Callable[..., str],
) -> None:
    asked = submit()
    customers, cohort, _ = said_too_late(node, officer, asked, known, "objection")
    config = str(service.folder.config)
    done = hanse("affected-runs", "--controller", "alster", "--config", config)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    own = [number for number, line in enumerate(lines) if cohort.manifest.digest in line]
    assert len(own) == 1
    assert lines[own[0] - 1].startswith(f"{node.position()}: objection, said ")
    assert f"    {asked.run}, round 1, {cohort.manifest.purpose}, issued " in lines[own[0]]
    assert lines[-1] == f"Acts of alster that came too late for a run: {len(pages(officer))}."
    assert not [customer for customer in customers if customer in done.stdout]
    unknown = hanse("affected-runs", "--controller", "nobody", "--config", config)
    assert (unknown.returncode, "CONTROLLER_UNKNOWN" in unknown.stderr) == (1, True)
