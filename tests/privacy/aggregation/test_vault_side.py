"""A vault's state machine against every order in which a centre, or whoever plays it, may ask."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hanse_privacy.aggregation.masks import Attempt
from hanse_privacy.aggregation.vault_side import SumRefusal, SumRefusedError, VaultSums, digest_of_keys

FIRST = Attempt(round=1, step=0, attempt=1)


def attempt(round_number: int, number: int) -> Attempt:
    return Attempt(round=round_number, step=0, attempt=number)


def begun(*attempts: Attempt, lost: Attempt | None = None) -> VaultSums:
    """After some attempts, all answered but for one that was lost."""
    return VaultSums(keys="k", answered={(one.round, one.attempt): one != lost for one in attempts})


def refusal(state: VaultSums, asked: Attempt, keys: str = "k") -> SumRefusal:
    with pytest.raises(SumRefusedError) as caught:
        state.must_repeat(asked, keys=keys)
    return caught.value.reason


def test_an_answered_attempt_is_repeated() -> None:
    assert begun(FIRST).must_repeat(FIRST, keys="k")


def test_a_lost_attempt_is_void_and_the_next_may_be_asked() -> None:
    state = begun(FIRST, lost=FIRST)
    assert refusal(state, FIRST) is SumRefusal.ATTEMPT_VOID
    assert not state.must_repeat(attempt(1, 2), keys="k")
    assert refusal(state, attempt(2, 1)) is SumRefusal.OUT_OF_ORDER


def test_an_answered_attempt_may_be_void_elsewhere() -> None:
    state = begun(FIRST, attempt(1, 2))
    assert state.must_repeat(FIRST, keys="k")
    assert not state.must_repeat(attempt(2, 1), keys="k")


def test_no_going_back() -> None:
    state = begun(FIRST, attempt(2, 1))
    assert refusal(state, attempt(1, 2)) is SumRefusal.OUT_OF_ORDER
    assert refusal(state, attempt(4, 1)) is SumRefusal.OUT_OF_ORDER
    assert refusal(state, attempt(2, 3)) is SumRefusal.OUT_OF_ORDER
    assert state.must_repeat(FIRST, keys="k")


def test_a_run_has_one_set_of_keys() -> None:
    state = begun(FIRST, lost=FIRST)
    for asked in (FIRST, attempt(1, 2), attempt(2, 1)):
        assert refusal(state, asked, keys="others") is SumRefusal.KEYS_CHANGED


@given(st.lists(st.binary(max_size=4), max_size=4), st.lists(st.binary(max_size=4), max_size=4))
def test_different_messages_have_different_digests(first: list[bytes], second: list[bytes]) -> None:
    assert (digest_of_keys(first) == digest_of_keys(second)) == (first == second)


class HostileCentre(RuleBasedStateMachine):
    """Asks whatever it likes; between asking and answering the vault may crash."""

    def __init__(self) -> None:
        super().__init__()
        self.state = VaultSums()
        self.keys: str | None = None
        self.sent: dict[tuple[int, int], int] = {}
        self.vectors = 0

    @rule(round_number=st.integers(1, 4), number=st.integers(1, 3), keys=st.sampled_from("kkkx"), crashes=st.booleans())
    def ask(self, round_number: int, number: int, keys: str, crashes: bool) -> None:
        try:
            repeated = self.state.must_repeat(attempt(round_number, number), keys=keys)
        except SumRefusedError:
            return
        place = (round_number, number)
        if repeated:
            assert self.keys == keys
            assert place in self.sent
            return
        assert place not in self.state.answered
        self.vectors += 1
        if not crashes:
            self.keys = self.keys or keys
            assert place not in self.sent
            self.sent[place] = self.vectors
        self.state = VaultSums(keys=self.keys, answered={**self.state.answered, place: not crashes})

    @invariant()
    def one_vector_for_each_attempt_that_was_begun(self) -> None:
        assert self.vectors == len(self.state.answered)
        assert set(self.sent) == {place for place, answered in self.state.answered.items() if answered}

    @invariant()
    def rounds_are_answered_before_later_ones_begin(self) -> None:
        last = max(self.state.answered, default=(0, 0))[0]
        for earlier in range(1, last):
            attempts = [number for round_number, number in self.state.answered if round_number == earlier]
            assert self.state.answered[(earlier, max(attempts))]


TestHostileCentre = HostileCentre.TestCase
