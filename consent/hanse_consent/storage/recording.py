"""Recording a batch of acts: checked, appended and applied inside one transaction."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import msgspec
from sqlmodel import Session, col, select

from hanse_consent.decisions.facts import ERASURE, Fact, facts_of
from hanse_consent.domain.acts import ActEffect, ActKind, ActReceipt, ConsentAct
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.domain.registry import Registry
from hanse_consent.storage.bulk import batched, insert_rows
from hanse_consent.storage.customers import KEY_BYTES, Tombstones, forget, numbers_of
from hanse_consent.storage.errors import CustomerErasedError
from hanse_consent.storage.evidence import act_row, detail_row, earlier_acts, raise_key_reused, require_same
from hanse_consent.storage.names import NameNumbers
from hanse_consent.storage.ports import BeforeForgetting, Checker
from hanse_consent.storage.standing_facts import FactChanges, current_facts
from hanse_consent.storage.stands import Stand, write_stand
from hanse_consent.storage.tables import Customer, ProfileDetail, RecordedActRow

_GRANTS = frozenset({ActKind.GRANT, ActKind.RENEWAL, ActKind.SEPARATE_GRANT, ActKind.GUARDIAN_GRANT})


class _Fresh(msgspec.Struct, frozen=True, gc=False):
    """An act that is new; made by the million, hence no dataclass."""

    index: int
    act: ConsentAct
    pseudonym: bytes
    position: int

    @property
    def place(self) -> str:
        return f"acts.{self.index}"


@dataclass(slots=True, kw_only=True)
class Recording:
    """One batch on its way into the store; the caller holds the controller's lock and commits.

    Args:
        session: One that writes, scoped to the controller.
        controller: Whose acts.
        stand: The controller's row, locked; moves on with the batch.
        checker: The law packs' verdict on each act.
        reach: Registry by which facts are drawn: with purposes that are no longer in force.
        registry_version: Its version.
        recorded_us: The service's time.
        names: What is known of names' numbers.
        draw: Draws so many random bytes.
        before_forgetting: Called with what an erasure is about to destroy.
    """

    session: Session
    controller: str
    stand: Stand
    checker: Checker
    reach: Registry
    registry_version: int
    recorded_us: int
    names: NameNumbers
    draw: Callable[[int], bytes]
    before_forgetting: BeforeForgetting
    added_names: dict[str, int] = field(default_factory=dict)
    """Numbers given to names: to be kept once the transaction is committed."""
    _effects: dict[int, ActEffect] = field(default_factory=dict)
    _position: int = 0

    def record(self, acts: Sequence[ConsentAct]) -> ActReceipt:
        """Append the acts that are new and let their facts count.

        Raises:
            ConsentRefusal: If any act is refused; the caller rolls back.
        """
        # What follows an erasure must meet the store as the erasure leaves it.
        for erases, group in groupby(enumerate(acts), key=lambda item: item[1].kind is ActKind.ERASURE):
            if erases:
                for item in group:
                    self._portion([item])
            else:
                self._portion(list(group))
        write_stand(self.session, self.stand)
        return ActReceipt(position=self._position, effects=tuple(self._effects[index] for index in range(len(acts))))

    def _portion(self, items: Sequence[tuple[int, ConsentAct]]) -> None:
        tombstones = Tombstones(self.session, controller_no=self.stand.controller_no, draw=self.draw)
        fresh = list(self._fresh(items, tombstones))
        if not fresh:
            return
        numbers, known = self._numbers(fresh, tombstones)
        self._check(fresh, numbers, known)
        self._append(fresh, numbers)
        if fresh[0].act.kind is ActKind.ERASURE:
            self._erase(fresh[0], numbers[fresh[0].pseudonym], tombstones)
        else:
            self._apply(fresh, numbers, known)

    def _fresh(self, items: Sequence[tuple[int, ConsentAct]], tombstones: Tombstones) -> Iterator[_Fresh]:
        """The acts that were not recorded before, each at its position."""
        earlier = earlier_acts(self.session, controller_no=self.stand.controller_no, keys=[act.key for _, act in items])
        arrived: dict[str, _Fresh] = {}
        for index, act in items:
            if act.key in earlier:
                require_same(act, earlier[act.key], tombstones=tombstones, place=f"acts.{index}")
                self._position = max(self._position, earlier[act.key].row.position)
                self._effects[index] = ActEffect.REPEATED
            elif act.key in arrived:
                if act != arrived[act.key].act:
                    raise_key_reused(f"acts.{index}")
                self._effects[index] = ActEffect.REPEATED
            else:
                self.stand.position += 1
                self._position = self.stand.position
                fresh = _Fresh(index, act, bytes.fromhex(act.customer), self._position)
                arrived[act.key] = fresh
                yield fresh

    def _numbers(self, fresh: Sequence[_Fresh], tombstones: Tombstones) -> tuple[dict[bytes, int], frozenset[int]]:
        """Everybody's number, and the numbers of those who were known before this portion."""
        if self.stand.erased:
            _require_said_since(fresh, tombstones)
        numbers = numbers_of(
            self.session, controller_no=self.stand.controller_no, pseudonyms=(one.pseudonym for one in fresh)
        )
        known = frozenset(numbers.values())
        unknown = [one for one in fresh if one.pseudonym not in numbers]
        # One draw for all: asking the system for each key on its own takes as long as inserting it.
        keys = self.draw(KEY_BYTES * len(unknown)) if unknown else b""
        rows = []
        for index, one in enumerate(unknown):
            if one.pseudonym not in numbers:
                self.stand.customers += 1
                numbers[one.pseudonym] = self.stand.customers
                rows.append(
                    (
                        self.stand.controller_no,
                        self.stand.customers,
                        one.pseudonym,
                        keys[KEY_BYTES * index : KEY_BYTES * (index + 1)],
                        one.position,
                        None,
                    )
                )
        insert_rows(self.session, Customer, rows)
        return numbers, known

    def _check(self, fresh: Sequence[_Fresh], numbers: dict[bytes, int], known: frozenset[int]) -> None:
        together = self._granted_together(fresh, numbers, known)
        nothing: frozenset[str] = frozenset()
        for one in fresh:
            act = one.act
            if act.interaction is None or act.kind not in _GRANTS:
                self.checker.check(act, one.place, nothing)
            else:
                granted = together.setdefault((numbers[one.pseudonym], act.interaction), set())
                self.checker.check(act, one.place, frozenset(granted))
                granted.add(act.separate.topic if act.separate is not None else str(act.purpose))

    def _granted_together(
        self, fresh: Sequence[_Fresh], numbers: dict[bytes, int], known: frozenset[int]
    ) -> dict[tuple[int, str], set[str]]:
        """What known customers granted before through the interactions that the acts name."""
        asked = {
            numbers[one.pseudonym] for one in fresh if one.act.interaction is not None and one.act.kind in _GRANTS
        } & known
        found: dict[tuple[int, str], set[str]] = {}
        for some in batched(sorted(asked)):
            query = select(RecordedActRow).where(
                RecordedActRow.controller_no == self.stand.controller_no,
                col(RecordedActRow.customer_no).in_(some),
                col(RecordedActRow.interaction).is_not(None),
                col(RecordedActRow.kind).in_([kind.value for kind in _GRANTS]),
            )
            for row in self.session.exec(query):
                matter = row.separate_matter
                granted = row.purpose if matter is None else f"separate/{matter}/{row.separate_subject}"
                found.setdefault((row.customer_no, str(row.interaction)), set()).add(str(granted))
        return found

    def _append(self, fresh: Sequence[_Fresh], numbers: dict[bytes, int]) -> None:
        rows = [
            act_row(
                one.act,
                controller_no=self.stand.controller_no,
                position=one.position,
                customer_no=numbers[one.pseudonym],
                recorded_us=self.recorded_us,
                registry_version=self.registry_version,
            )
            for one in fresh
        ]
        insert_rows(self.session, RecordedActRow, rows)
        details = [
            detail_row(
                one.act,
                controller_no=self.stand.controller_no,
                position=one.position,
                customer_no=numbers[one.pseudonym],
            )
            for one in fresh
            if one.act.kind is ActKind.PROFILE
        ]
        insert_rows(self.session, ProfileDetail, details)

    def _apply(self, fresh: Sequence[_Fresh], numbers: dict[bytes, int], known: frozenset[int]) -> None:
        drawn = [facts_of(one.act, registry=self.reach, recorded_us=self.recorded_us) for one in fresh]
        number = self._name_numbers(drawn)
        places = {
            (number[topic], numbers[one.pseudonym])
            for one, facts in zip(fresh, drawn, strict=True)
            if numbers[one.pseudonym] in known
            for topic in facts
        }
        changes = FactChanges(
            controller_no=self.stand.controller_no,
            stored=current_facts(
                self.session,
                controller_no=self.stand.controller_no,
                places=places,
                names=self.names,
                added_names=self.added_names,
            ),
        )
        for one, facts in zip(fresh, drawn, strict=True):
            customer = numbers[one.pseudonym]
            # Every fact has to arrive: a list, not a generator that any() would leave half read.
            prevailed = [
                changes.put((number[topic], customer), fact, position=one.position) for topic, fact in facts.items()
            ]
            self._effects[one.index] = _effect(prevailed)
        changes.write(self.session, notice_numbers=number)

    def _erase(self, one: _Fresh, customer_no: int, tombstones: Tombstones) -> None:
        doomed = self.session.get(Customer, (self.stand.controller_no, customer_no))
        if doomed is not None and doomed.key is not None:
            self.before_forgetting(
                self.session,
                controller=self.controller,
                number=customer_no,
                pseudonym=one.pseudonym,
                key=doomed.key,
            )
        forget(self.session, controller_no=self.stand.controller_no, customer_no=customer_no, position=one.position)
        tombstones.put(one.pseudonym, erased_us=to_microseconds(one.act.said_at))
        self.stand.erased += 1
        facts = facts_of(one.act, registry=self.reach, recorded_us=self.recorded_us)
        number = self._name_numbers([facts])
        changes = FactChanges(controller_no=self.stand.controller_no, stored={})
        changes.put((number[ERASURE], customer_no), facts[ERASURE], position=one.position)
        changes.write(self.session, notice_numbers=number)
        self._effects[one.index] = ActEffect.EFFECTIVE

    def _name_numbers(self, drawn: Sequence[dict[str, Fact]]) -> dict[str, int]:
        wanted: set[str] = set()
        for facts in drawn:
            wanted.update(facts)
            wanted.update(fact.notice for fact in facts.values() if fact.notice is not None)
        return self.names.ensure(self.session, wanted, added=self.added_names)


def _require_said_since(fresh: Sequence[_Fresh], tombstones: Tombstones) -> None:
    """Refuse what was said before an erasure, also of somebody who has begun anew since."""
    erased = tombstones.erased_us(one.pseudonym for one in fresh)
    for one in fresh:
        erased_us = erased.get(one.pseudonym)
        if erased_us is not None and to_microseconds(one.act.said_at) <= erased_us:
            raise CustomerErasedError(
                f"{one.place} was said before its customer asked to be erased.",
                "Leave it out; only what the customer says from now on begins anew.",
            )


def _effect(prevailed: Sequence[bool]) -> ActEffect:
    if not prevailed:
        return ActEffect.EVIDENCE
    return ActEffect.EFFECTIVE if any(prevailed) else ActEffect.SUPERSEDED
