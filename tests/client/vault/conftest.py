"""An installed league of two vaults and a consent service, as processes on loopback, and a hostile centre."""

import copy
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from hanse_client.consent_acts import read_acts, send_acts
from hanse_client.courier import carry
from hanse_client.data.pseudonyms import PseudonymKey
from hanse_client.vault.home import NodeHome
from hanse_client.vault.ledger_file import open_ledger
from hanse_client.vault.policy import load_policy
from hanse_client.vault.run_register import RunRegister
from hanse_consent.client import ConsentClient
from hanse_demo.grants import customers_of, draw_grants, write_grants
from hanse_demo.officers import ScriptedOfficers
from hanse_demo.processes import Child
from hanse_demo.story import load_story
from hanse_demo.workshop import Workshop, lay_out
from hanse_models.catalogue import load_catalogue
from hanse_privacy.aggregation.centre_side import Collection
from hanse_privacy.aggregation.masks import Attempt, mask
from hanse_privacy.aggregation.session_keys import SessionKey, verified_keys
from hanse_privacy.errors import HanseError
from hanse_privacy.identity import SigningKey
from hanse_privacy.ledger import LedgerEntry
from hanse_privacy.process_environment import child_environment
from hanse_privacy.protocol.letters import (
    AdmitParameters,
    Answer,
    CourierReply,
    Instruction,
    KeyResult,
    MaskedResult,
    NoParameters,
    Outcome,
    WeightsParameters,
    decode,
    open_answer,
    seal,
)
from hanse_privacy.protocol.proposal import RunProposal
from hanse_server.drafting import complete, load_draft

sys.path.insert(0, str(Path(__file__).parent))

import toy_vault

SOURCE = Path(__file__).parents[3] / "examples" / "own_data"
HANSE = str(Path(sys.executable).parent / "hanse")
READY_TIMEOUT_S = 60.0
SMALL_EPSILON = 0.02
PLAYED = ("alder", "birch", "echo")
"""Partners without a vault of their own: the tests hold their keys. North has pinned the first two."""


def run_hanse(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of hanse to its end."""
    return subprocess.run(
        [HANSE, *arguments],
        env=child_environment(more={"COLUMNS": "200"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@dataclass
class Program:
    """One process that tests start, kill and start again."""

    name: str
    arguments: tuple[str, ...]
    logs: Path
    child: Child | None = None
    starts: int = 0

    def start(self) -> None:
        self.starts += 1
        log = self.logs / f"{self.name}-{self.starts}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [HANSE, *self.arguments],
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.child = Child(name=self.name, process=process, log=log)

    def wait(self) -> None:
        assert self.child is not None
        self.child.wait_for_line("is ready", timeout_s=READY_TIMEOUT_S)

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.process.pid

    def kill(self) -> None:
        assert self.child is not None
        os.kill(self.pid, signal.SIGKILL)
        self.child.process.wait(timeout=10)

    def stop(self) -> None:
        if self.child is not None and self.child.process.poll() is None:
            self.child.stop()

    def said(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted(self.logs.glob(f"{self.name}-*.log")))


@dataclass
class Node:
    """One partner's vault, and what may never be heard of it outside."""

    home: NodeHome
    socket: Path
    key: SigningKey
    program: Program
    customers: tuple[str, ...] = ()
    pseudonyms: tuple[str, ...] = ()

    def secrets(self) -> Iterator[str]:
        yield from self.customers
        yield from self.pseudonyms
        yield self.home.signing_key.read_text().splitlines()[1]
        yield self.home.pseudonym_key.read_text().split()[2]
        yield self.key.public.text.partition(":")[2]

    def require_discreet(self, text: str) -> None:
        """No customer, pseudonym or key may appear in what others read."""
        assert not [word for word in self.secrets() if word in text]

    def entries(self, run: str | None = None) -> list[LedgerEntry]:
        ledger = open_ledger(self.home, load_policy(self.home.policy))
        return [entry for entry in ledger.entries() if run in (None, entry.run)]

    def spent_epsilon(self) -> float:
        return open_ledger(self.home, load_policy(self.home.policy)).statement().caps[0].spent_epsilon

    def register(self) -> RunRegister:
        return RunRegister(self.home.runs)


@dataclass
class Trial:
    """The league, and the centre's key in the hands of whoever tests."""

    workshop: Workshop
    centre: SigningKey
    consent_key: SigningKey
    consent: Program
    nodes: dict[str, Node]
    played: dict[str, SigningKey]
    drafts: dict[str, dict[str, Any]] = field(default_factory=dict)
    heard: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """Key messages that vaults sent, by run and partner."""
    made: dict[tuple[str, str], SessionKey] = field(default_factory=dict)
    """Session keys that the tests made for the others, with whose lasting keys they sign."""

    def __post_init__(self) -> None:
        self.officers = ScriptedOfficers(self.workshop)
        self.submitting = ConsentClient(
            self.workshop.consent_url, "centre", self.centre, self.consent_key.public, timeout_s=10.0
        )

    @property
    def north(self) -> Node:
        return self.nodes["north"]

    @property
    def south(self) -> Node:
        return self.nodes["south"]

    def key_of(self, partner: str) -> SigningKey:
        """The lasting key of a partner, with a vault or played."""
        return self.nodes[partner].key if partner in self.nodes else self.played[partner]

    def payload(self, draft: str = "churn", **changes: Any) -> dict[str, Any]:
        """A proposal under a fresh name, with whatever a liar would change."""
        return copy.deepcopy(self.drafts[draft]) | {"run": f"{draft}-{secrets.token_hex(4)}"} | changes

    def proposal(self, draft: str = "churn", **changes: Any) -> RunProposal:
        return RunProposal.parse(self.payload(draft, **changes))

    def session_keys(self, proposal: RunProposal) -> list[bytes]:
        """Every vault's key message: what it sent, or one made for it."""
        messages = []
        for partner in proposal.partners():
            place = (proposal.digest, partner)
            if place not in self.heard:
                made = self.made.setdefault(place, SessionKey.generate())
                self.heard[place] = made.message(proposal.identity, partner=partner, key=self.key_of(partner))
            messages.append(self.heard[place])
        return messages

    def vector(self, proposal: RunProposal, answer: Answer, round_number: int, /, *, attempt: int = 1) -> np.ndarray:
        """What north answered, its masks taken off: the others' session keys are the tests' own."""
        assert answer.outcome is Outcome.DONE, answer.explanation
        step = proposal.step_of(round_number)
        assert step is not None
        keys = verified_keys(self.session_keys(proposal), proposal.identity)
        asked = Attempt(round=round_number, step=proposal.steps.index(step), attempt=attempt)
        size = proposal.layout(step).size
        collection = Collection(partners=proposal.partners(), attempt=asked, ring=proposal.ring, size=size)
        collection = collection.receive("north", decode(answer.result, MaskedResult).masked)
        for partner in set(proposal.partners()) - {"north"}:
            session = self.made[(proposal.digest, partner)]
            nothing = mask(
                np.zeros(size, dtype=np.int64),
                ring=proposal.ring,
                identity=proposal.identity,
                attempt=asked,
                partner=partner,
                pair_secrets=session.pair_secrets(proposal.identity, keys, partner=partner),
            )
            collection = collection.receive(partner, nothing.tobytes())
        return collection.total()

    def letter(
        self, proposal: RunProposal, round_number: int, /, *, key: SigningKey | None = None, **changes: Any
    ) -> bytes:
        """A letter as the centre sends it, field by field as a liar would change it."""
        step = proposal.step_of(round_number)
        fields: dict[str, Any] = {
            "protocol": 2,
            "run": proposal.run,
            "proposal": proposal.digest,
            "round": round_number,
            "attempt": 1 if step else 0,
            "session_keys": self.session_keys(proposal) if step else [],
            "operation": step.operation if step else "admit",
            "operation_version": 1,
            "sender": "centre",
            "recipient": "north",
            "nonce": secrets.token_bytes(16),
            "sent_at": datetime.now(tz=UTC),
            "parameters": WeightsParameters(weights=[0.0] * 15)
            if step and step.operation.startswith("churn")
            else NoParameters(),
        }
        fields |= changes
        fields["parameters"] = msgspec.Raw(msgspec.msgpack.encode(fields["parameters"]))
        return seal(Instruction(**fields), key=key or self.centre)

    def send(self, letter: bytes, *, node: str = "north", timeout_s: float = 30.0) -> CourierReply:
        """Hand any bytes over as a courier does; whatever comes back is discreet."""
        reply = decode(carry(letter, socket_path=self.nodes[node].socket, timeout_s=timeout_s), CourierReply)
        self.nodes[node].require_discreet(reply.failure + reply.explanation)
        return reply

    def answer(self, letter: bytes, *, node: str = "north") -> Answer:
        """Send a letter that can be opened; check the answer's seal, binding and discretion."""
        reply = self.send(letter, node=node)
        assert reply.answer, reply
        answer = open_answer(reply.answer, key=self.nodes[node].key.public, instruction_letter=letter)
        self.nodes[node].require_discreet(answer.reason + answer.explanation)
        assert (answer.outcome is Outcome.DONE) == (answer.reason == "")
        if answer.outcome is not Outcome.DONE:
            assert answer.result == b""
            assert answer.explanation
        return answer

    def ask(self, proposal: RunProposal, round_number: int, /, *, node: str = "north", **changes: Any) -> Answer:
        return self.answer(self.letter(proposal, round_number, recipient=node, **changes), node=node)

    def submit(self, proposal: RunProposal) -> None:
        """Ask for approval, as the centre does; what the consent service does not take stays unapproved."""
        with suppress(HanseError):
            self.submitting.submit_run(proposal.sign(self.centre))

    def approve(self, proposal: RunProposal) -> None:
        """Submit a run and let the officers approve it, wherever they are asked."""
        with suppress(HanseError):
            report = self.submitting.submit_run(proposal.sign(self.centre))
            self.officers.approve(proposal.run, report.standings)

    def admit(
        self,
        proposal: RunProposal,
        /,
        *,
        node: str = "north",
        signed: bytes | None = None,
        approved: bool = True,
        statement: bytes = b"",
        **changes: Any,
    ) -> Answer:
        if approved:
            self.approve(proposal)
        parameters = AdmitParameters(signed_proposal=signed or proposal.sign(self.centre), ledger_statement=statement)
        answer = self.ask(proposal, 0, node=node, parameters=parameters, **changes)
        if answer.outcome is Outcome.DONE:
            self.heard[(proposal.digest, node)] = decode(answer.result, KeyResult).session_key
        return answer

    def admitted(
        self, draft: str = "churn", *, node: str = "north", approved: bool = True, **changes: Any
    ) -> RunProposal:
        """A run that the vault has let in."""
        proposal = self.proposal(draft, **changes)
        assert self.admit(proposal, node=node, approved=approved).outcome is Outcome.DONE
        return proposal

    def require_refused(self, answer: Answer, reason: str) -> None:
        assert (answer.outcome, answer.reason) == (Outcome.REFUSED, reason), answer.explanation

    def require_not_accepted(self, letter: bytes, failure: str) -> CourierReply:
        """A letter that cannot be opened gets an unsigned word and no answer."""
        reply = self.send(letter)
        assert (reply.answer, reply.failure) == (b"", failure)
        return reply

    def require_alive(self) -> None:
        """The vault still opens a good letter and answers it under its own seal."""
        self.require_refused(self.ask(self.proposal(), 1), "RUN_NOT_ADMITTED")


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _join(workshop: Workshop) -> None:
    """Have those who are played in the league's papers and notices, so that officers and manifests allow a run."""
    names, parties = "".join(f', "{name}"' for name in PLAYED), workshop.consent / "parties.toml"
    registered = "".join(
        f'[[recipients]]\nname = "{name}"\nlegal_name = "{name}"\ncontact = "{name}"\ncountry = "DE"\n\n'
        for name in PLAYED
    )
    _change(parties, 'parties = ["north", "south"', f'parties = ["north", "south"{names}')
    _change(parties, "[[joint_arrangements]]", f"{registered}[[joint_arrangements]]")
    _change(workshop.consent / "notices" / "notices.toml", '["north", "south"]', f'["north", "south"{names}]')


def _draft(workshop: Workshop, name: str, *, epsilon: float) -> dict[str, Any]:
    league = workshop.league.load()
    draft = load_draft(workshop.root / "proposals" / f"{name}.toml").model_copy(update={"epsilon": epsilon})
    catalogue = load_catalogue(workshop.league.root / league.catalogue)
    return complete(draft, league=league, catalogue=catalogue, now=datetime.now(tz=UTC)).payload()


def _node(workshop: Workshop, partner: str, logs: Path, *, played: Mapping[str, SigningKey]) -> Node:
    home = workshop.node(partner)
    if partner == "north":
        pins = "".join(f'{name} = "{played[name].public.text}"\n' for name in PLAYED[:2])
        _change(home.policy, "[pins.partners]\n", f"[pins.partners]\n{pins}")
        _change(home.policy, "[limits]\n", "[limits]\nvouchers_needed = 2\n")
    # A slow consent service is a case of its own; and the south asks a person.
    _change(home.policy, "timeout_s = 10", "timeout_s = 1")
    if partner == "south":
        _change(home.policy, "ask_a_person = false", "ask_a_person = true")
    arguments = ("node", "serve", "--home", str(home.root))
    return Node(
        home=home,
        socket=workshop.socket_of(partner),
        key=SigningKey.load(home.signing_key),
        program=Program(name=f"vault-{partner}", arguments=arguments, logs=logs),
    )


def _record_grants(trial: Trial, partner: str) -> None:
    node = trial.nodes[partner]
    league = trial.workshop.league
    customers = customers_of(node.home.root, load_catalogue(league.root / league.load().catalogue))
    pseudonym_key = PseudonymKey.load(node.home.pseudonym_key)
    node.customers = tuple(customers)
    node.pseudonyms = tuple(pseudonym_key.pseudonyms(customers))
    grants = load_story(SOURCE).grants
    file = node.home.root / "grants.csv"
    write_grants(file, grants, draw_grants(grants, partner=partner, customers=customers))
    client = ConsentClient(trial.workshop.consent_url, partner, node.key, trial.consent_key.public, 10.0)
    assert send_acts(read_acts(file, pseudonym_key), client) > 0


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """Everything up, grants recorded; ended by process id."""
    folder = tmp_path_factory.mktemp("trial")
    logs = folder / "logs"
    logs.mkdir()
    with lay_out(SOURCE, folder / "league") as workshop:
        played = {name: SigningKey.generate() for name in PLAYED}
        _join(workshop)
        consent_arguments = ("consent", "serve", "--config", str(workshop.consent / "consent.toml"))
        up = Trial(
            workshop=workshop,
            centre=SigningKey.load(workshop.league.signing_key),
            consent_key=SigningKey.load(workshop.consent / "keys" / "consent.key"),
            consent=Program(name="consent", arguments=consent_arguments, logs=logs),
            nodes={partner: _node(workshop, partner, logs, played=played) for partner in workshop.partners},
            played=played,
        )
        programs = [up.consent, *(node.program for node in up.nodes.values())]
        try:
            for program in programs:
                program.start()
            up.drafts = {
                "churn": _draft(workshop, "churn", epsilon=SMALL_EPSILON),
                "popularity": _draft(workshop, "popularity", epsilon=SMALL_EPSILON),
                "dear": _draft(workshop, "popularity", epsilon=3.0),
            }
            for program in programs:
                program.wait()
            for partner in up.nodes:
                _record_grants(up, partner)
            yield up
        finally:
            for program in programs:
                program.stop()


@pytest.fixture(scope="session", name="run_hanse")
def _run_hanse() -> Callable[..., subprocess.CompletedProcess[str]]:
    return run_hanse


@pytest.fixture
def node(tmp_path: Path) -> toy_vault.Node:
    """A vault in this process, beside toys of all that it speaks with."""
    return toy_vault.started(tmp_path, consent=toy_vault.ToyConsent(), data=toy_vault.ToyData())


@pytest.fixture
def terms(node: toy_vault.Node) -> RunProposal:
    """A proposal that it has admitted."""
    admitted = toy_vault.terms_of()
    assert node.ask(admitted, 0).outcome is Outcome.DONE
    return admitted
