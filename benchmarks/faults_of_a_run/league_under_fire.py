"""The example league of two vaults, laid out to be shot at: room in the budget, runs by the hundred, exact sums."""

import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faults_of_a_run.watched_courier import WatchedCourier
from hanse_client.data.pseudonyms import PseudonymKey
from hanse_client.vault.operations import Work, customer_batches
from hanse_client.vault.policy import load_policy
from hanse_client.vault.purchase_store import PurchaseStore
from hanse_demo.grants import DrawnGrants
from hanse_demo.memory_league import MemoryLeague
from hanse_demo.story import load_story
from hanse_demo.workshop import Workshop, lay_out
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.protocol.steps import PopularityStep
from hanse_privacy.release import sum_customers
from hanse_server.league import RunFolder

_SOURCE = Path(__file__).parents[2] / "examples" / "own_data"
_TOTAL_EPSILON = 60.0
_PERSON_EPSILON = 240.0
"""For a customer of both partners: no run ends for want of it before the vaults' own caps."""
_RUN_EPSILON = {"churn": 0.02, "popularity": 2.0}
"""What a run costs: hundreds of both stay below the cap, and the one whose sum is looked at has little noise."""
_MORE_ROUNDS = 2
"""Of training after its first, in place of nine: a run then has four rounds, its evaluation the last."""
_ROOM = 3.0
"""What a run may cost: for one with attempts that are lost, far more than it does."""


@dataclass(frozen=True, kw_only=True)
class LeagueUnderFire:
    """The laid-out league, its consent service up in this process; the vaults are for others to start.

    Args:
        workshop: Its folders.
        memory: Its proposals, its officers and its consent service.
        drafts: Proposals' fields, by name.
        grants: Who said yes, by partner.
        lasting: The partners' keys.
        courier: Carries all letters.
    """

    workshop: Workshop
    memory: MemoryLeague
    drafts: Mapping[str, dict[str, Any]]
    grants: Mapping[str, DrawnGrants]
    lasting: Mapping[str, SigningKey]
    courier: WatchedCourier

    @property
    def logs(self) -> Path:
        """Where processes say what they do."""
        return self.workshop.root / "logs"

    @cached_property
    def centre(self) -> SigningKey:
        """The centre's key."""
        return self.workshop.league.key()

    def propose(self, draft: str) -> RunProposal:
        """A new run, not yet approved."""
        proposal = RunProposal.parse({**self.drafts[draft], "run": f"{draft}-{secrets.token_hex(4)}"})
        RunFolder(self.workshop.league, proposal.run).create(proposal.sign(self.centre))
        return proposal

    def approve(self, proposal: RunProposal) -> RunProposal:
        """Have the officers of both partners approve it."""
        self.memory.approve(proposal)
        return proposal

    def exact_popularity(self, partner: str, proposal: RunProposal) -> NDArray[np.int64]:
        """What a vault's vector is before noise, from its own store and the list of who said yes."""
        (step,) = proposal.steps
        if not isinstance(step, PopularityStep):
            raise RuntimeError("exact sums are computed for popularity only")
        home = self.workshop.node(partner)
        store = PurchaseStore(path=home.purchases)
        granted = self.grants[partner].granted[step.purpose]
        cohort = store.known(list(PseudonymKey.load(home.pseudonym_key).pseudonyms(granted)))
        batches = customer_batches(
            Work(step=step, weights=None), data=store.in_weeks_from(proposal.week_one), cohort=cohort
        )
        return sum_customers(proposal.layout(step), batches).vector


@contextmanager
def league_under_fire() -> Iterator[LeagueUnderFire]:
    """Lay the league out in a folder of its own, start its consent service and record who said yes."""
    with tempfile.TemporaryDirectory(prefix="hanse-faults-") as folder, lay_out(_SOURCE, Path(folder)) as workshop:
        (workshop.root / "logs").mkdir()
        for partner in workshop.partners:
            policy = workshop.node(partner).policy
            text = policy.read_text(encoding="utf-8")
            roomy = text.replace("total_epsilon = 5.0", f"total_epsilon = {_TOTAL_EPSILON}")
            if roomy == text or load_policy(policy).limits.ask_a_person:
                raise RuntimeError(f"the policy of {partner} is not as it was expected")
            policy.write_text(roomy, encoding="utf-8")
        league = workshop.league.root / "league.toml"
        text = league.read_text(encoding="utf-8")
        roomy = text.replace("epsilon = 15.0", f"epsilon = {_PERSON_EPSILON}")
        if roomy == text:
            raise RuntimeError("league.toml is not as it was expected")
        league.write_text(roomy, encoding="utf-8")
        memory = MemoryLeague(workshop)
        memory.start_consent()
        try:
            yield _assembled(workshop, memory)
        finally:
            memory.stop_consent()


def _assembled(workshop: Workshop, memory: MemoryLeague) -> LeagueUnderFire:
    lasting = {partner: SigningKey.load(workshop.node(partner).signing_key) for partner in workshop.partners}
    return LeagueUnderFire(
        workshop=workshop,
        memory=memory,
        drafts={name: _draft(workshop, memory, name) for name in _RUN_EPSILON},
        grants=memory.record_grants(load_story(_SOURCE).grants),
        lasting=lasting,
        courier=WatchedCourier(
            centre=workshop.league.key().public,
            sockets={partner: workshop.socket_of(partner) for partner in workshop.partners},
            keys={partner: key.public for partner, key in lasting.items()},
        ),
    )


def _draft(workshop: Workshop, memory: MemoryLeague, name: str) -> dict[str, Any]:
    path = workshop.root / "proposals" / f"{name}.toml"
    text = path.read_text(encoding="utf-8").replace("rounds = 9", f"rounds = {_MORE_ROUNDS}")
    # Clips that most customers pass: a sum is then large beside its noise, and one that lacks customers is seen.
    text = text.replace("breadth = { clip = 10.0", "breadth = { clip = 2.0")
    text = text.replace("rate = { clip = 2.0", "rate = { clip = 0.4")
    cheap = re.sub(r"^epsilon = .*$", f"epsilon = {_RUN_EPSILON[name]}", text, flags=re.MULTILINE)
    path.write_text(cheap, encoding="utf-8")
    return {**memory.propose(f"{name}.toml").payload(), "epsilon": _ROOM}
