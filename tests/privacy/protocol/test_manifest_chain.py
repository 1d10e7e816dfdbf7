"""The chain of a run's manifests: honest breaks never end a run, and no other history is ever accepted."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hanse_privacy.errors import InvalidValueError
from hanse_privacy.protocol.manifest import NO_PREVIOUS, CohortManifest, CohortRequest, LeafAlgorithm
from hanse_privacy.protocol.manifest_chain import ManifestChain, ManifestChainBrokenError

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def question(known: str, *, round_number: int = 1, run: str = "churn-1") -> CohortRequest:
    return CohortRequest.model_validate(
        {
            "partner": "north",
            "run": run,
            "round": round_number,
            "proposal": "ab" * 32,
            "purpose": "churn-training",
            "tier": "standard",
            "known": known,
            "nonce": secrets.token_hex(16),
        }
    )


def answer(request: CohortRequest, *, previous: str, position: int = 1) -> CohortManifest:
    return CohortManifest(
        **request.model_dump(),
        position=position,
        registry_version=1,
        pack_versions={"gdpr": "1"},
        notice_versions=(),
        issued_at=NOON,
        expires_at=NOON + timedelta(minutes=5),
        leaf_algorithm=LeafAlgorithm.BLAKE2B_SHA256,
        count=0,
        root="cd" * 32,
        excluded_by_reason={},
        previous=previous,
    )


@dataclass
class Service:
    """Issues manifests as a consent service does, one after the other."""

    issued: list[CohortManifest] = field(default_factory=list)

    def receive(self, request: CohortRequest) -> tuple[CohortManifest, tuple[CohortManifest, ...]]:
        digests = [one.digest for one in self.issued]
        missed = tuple(self.issued[digests.index(request.known) + 1 :] if request.known in digests else self.issued)
        manifest = answer(request, previous=digests[-1] if digests else NO_PREVIOUS, position=len(self.issued))
        self.issued.append(manifest)
        return manifest, missed


class HonestRun(RuleBasedStateMachine):
    """Whatever is lost, delayed or restarted on the way, the vault follows an honest service; and no other one."""

    def __init__(self) -> None:
        super().__init__()
        self.service = Service()
        self.kept = ManifestChain()
        self.round = 1
        self.delayed: list[CohortRequest] = []

    def _ask(self) -> tuple[CohortRequest, ManifestChain]:
        request = question(self.kept.newest, round_number=self.round)
        # Kept before it leaves: from here on the process may be killed at any moment.
        self.kept = self.kept.asked(request)
        return request, self.kept

    @rule()
    def the_answer_arrives(self) -> None:
        request, chain = self._ask()
        manifest, missed = self.service.receive(request)
        self.kept = chain.followed(manifest, missed=missed)
        assert self.kept.newest == self.service.issued[-1].digest
        self.round += 1

    @rule()
    def the_answer_is_lost(self) -> None:
        self.service.receive(self._ask()[0])

    @rule()
    def the_question_is_lost(self) -> None:
        self._ask()

    @rule()
    def the_question_is_held_up(self) -> None:
        self.delayed.append(self._ask()[0])

    @precondition(lambda self: self.delayed)
    @rule()
    def a_question_arrives_late_and_its_answer_nowhere(self) -> None:
        self.service.receive(self.delayed.pop(0))

    @precondition(lambda self: self.service.issued)
    @rule(data=st.data())
    def another_history_is_refused_and_changes_nothing(self, data: st.DataObject) -> None:
        request, chain = self._ask()
        honest = Service(issued=list(self.service.issued))
        manifest, missed = honest.receive(request)
        lie = data.draw(st.sampled_from(sorted(LIES)))
        shown = LIES[lie](self, request, manifest, missed)
        if shown is None:
            return
        with pytest.raises(ManifestChainBrokenError):
            chain.followed(shown[0], missed=shown[1])
        assert self.kept == chain

    @invariant()
    def what_is_open_was_asked_and_is_not_in_the_accepted_chain(self) -> None:
        digests = [one.digest for one in self.service.issued]
        accepted = digests.index(self.kept.newest) + 1 if self.kept.newest != NO_PREVIOUS else 0
        answered = {one.question.digest for one in self.service.issued[:accepted]}
        assert not answered & self.kept.open_questions


Shown = tuple[CohortManifest, tuple[CohortManifest, ...]]
Lie = Callable[[HonestRun, CohortRequest, CohortManifest, tuple[CohortManifest, ...]], Shown | None]


def _behind_its_back(
    run: HonestRun, request: CohortRequest, _manifest: CohortManifest, missed: tuple[CohortManifest, ...]
) -> Shown:
    """One more manifest that the vault never asked for, well chained."""
    last = missed[-1].digest if missed else run.kept.newest
    extra = answer(question(request.known, round_number=run.round), previous=last)
    return answer(request, previous=extra.digest), (*missed, extra)


def _answered_twice(
    run: HonestRun, request: CohortRequest, _manifest: CohortManifest, missed: tuple[CohortManifest, ...]
) -> Shown:
    """The question is answered by a hidden manifest first, and by another one that follows it."""
    last = missed[-1].digest if missed else run.kept.newest
    hidden = answer(request, previous=last, position=77)
    return answer(request, previous=hidden.digest, position=78), (*missed, hidden)


def _taken_back(
    run: HonestRun, request: CohortRequest, _manifest: CohortManifest, _missed: tuple[CohortManifest, ...]
) -> Shown | None:
    """A store that was set back to before what the vault has accepted goes on from there."""
    digests = [one.digest for one in run.service.issued]
    if run.kept.newest == NO_PREVIOUS:
        return None
    older = run.service.issued[: digests.index(run.kept.newest)]
    return answer(request, previous=older[-1].digest if older else NO_PREVIOUS), ()


def _another_run(
    run: HonestRun, request: CohortRequest, _manifest: CohortManifest, missed: tuple[CohortManifest, ...]
) -> Shown:
    last = missed[-1].digest if missed else run.kept.newest
    foreign = answer(question(request.known, run="churn-2"), previous=last)
    return answer(request, previous=foreign.digest), (*missed, foreign)


LIES: dict[str, Lie] = {
    "a fork": lambda run, request, _, missed: (answer(request, previous="77" * 32), missed),
    "a link left out": lambda run, request, manifest, missed: (manifest, missed[:-1]) if missed else None,
    "the first link left out": lambda run, request, manifest, missed: (manifest, missed[1:]) if missed else None,
    "another order": lambda run, request, manifest, missed: (manifest, missed[::-1]) if len(missed) > 1 else None,
    "a link twice": lambda run, request, manifest, missed: (manifest, (*missed, missed[-1])) if missed else None,
    "an altered link": lambda run, request, manifest, missed: (
        (manifest, (*missed[:-1], missed[-1].model_copy(update={"count": 5}))) if missed else None
    ),
    "what was accepted before": lambda run, request, manifest, missed: (
        (manifest, (run.service.issued[0], *missed)) if run.kept.newest != NO_PREVIOUS else None
    ),
    "a new beginning": lambda run, request, manifest, missed: (
        (answer(request, previous=NO_PREVIOUS), ()) if run.kept.newest != NO_PREVIOUS else None
    ),
    "behind its back": _behind_its_back,
    "answered twice": _answered_twice,
    "taken back": _taken_back,
    "another run's": _another_run,
}

HonestRun.TestCase.settings = settings(max_examples=120, stateful_step_count=25, deadline=None)
TestHonestRun = HonestRun.TestCase


def test_a_single_lost_answer_does_not_end_a_run() -> None:
    service, chain = Service(), ManifestChain()
    first = question(NO_PREVIOUS)
    chain = chain.asked(first).followed(service.receive(first)[0], missed=())
    lost = question(chain.newest, round_number=2)
    chain = chain.asked(lost)
    service.receive(lost)
    again = question(chain.newest, round_number=2)
    manifest, missed = service.receive(again)
    assert manifest.previous != chain.newest
    assert [one.question for one in missed] == [lost]
    followed = chain.asked(again).followed(manifest, missed=missed)
    assert (followed.newest, followed.open_questions) == (manifest.digest, frozenset())


def test_a_vault_that_was_set_back_stops() -> None:
    """Its older copy does not know what it asked since; repeating a round would cost its customers twice."""
    service, before = Service(), ManifestChain()
    first = question(NO_PREVIOUS)
    before.asked(first).followed(service.receive(first)[0], missed=())
    again = question(before.newest)
    manifest, missed = service.receive(again)
    with pytest.raises(ManifestChainBrokenError, match="did not ask for"):
        before.asked(again).followed(manifest, missed=missed)


def test_a_question_names_the_newest_manifest() -> None:
    with pytest.raises(InvalidValueError, match="known is"):
        ManifestChain(newest="12" * 32).asked(question(NO_PREVIOUS))
