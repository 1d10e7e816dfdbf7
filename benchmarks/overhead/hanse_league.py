"""The Hanse side: the Complete Journey league as shipped, its churn run cut to five training rounds."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from rich.console import Console

from hanse_client.data.pseudonyms import PseudonymKey
from hanse_client.data.queries import VaultData
from hanse_demo.commands import league_folder
from hanse_demo.demonstration import Demonstration, Finished
from hanse_demo.display import Display
from hanse_demo.grants import DrawnGrants
from hanse_demo.processes import ProcessGroup
from hanse_demo.story import ScriptedRun, load_story
from hanse_demo.workshop import Workshop, lay_out
from hanse_models.churn import churn_features, churn_labels, eligible
from hanse_server.league import RunFolder
from overhead.observations import RunObserved, Side
from overhead.processor_time import MessageCosts

TRAINING_ROUNDS = 5
_PROPOSAL = "churn.toml"
_SHORTENED = "churn-five-rounds.toml"
_LATER_ROUNDS = "rounds = 9\n"
_PURPOSE = "churn-training"
_LAST_WEEK, _HORIZON_WEEKS = 37, 8


@dataclass(frozen=True, kw_only=True)
class HanseRun:
    """What one run of the league left."""

    observed: RunObserved
    features: Mapping[str, Path]
    """By partner, its consenting customers' features and labels, for the peer to train on."""


def run_hanse(root: Path, *, repeat: int, console: Console) -> HanseRun:
    """Start the league with the demo's own start-up code, take the run, end every process."""
    source = league_folder("complete_journey")
    # Withdrawals are the demo's story, not part of a round: their commands would compete with the rounds timed.
    story = load_story(source).model_copy(update={"runs": (ScriptedRun(proposal=_SHORTENED),)})
    with lay_out(source, root) as workshop:
        shorten(workshop)
        load_average = os.getloadavg()[0]
        with ProcessGroup(logs=root / "logs") as group, MessageCosts() as costs, Display(console) as display:
            finished = Demonstration(story=story, workshop=workshop, group=group, display=display).run()
        observed = RunObserved(
            side=Side.HANSE,
            repeat=repeat,
            load_average_before=load_average,
            round_s=_round_seconds(workshop, finished),
            message_cpu_s=tuple(message.cpu_s for message in costs.messages),
            message_wall_s=tuple(message.wall_s for message in costs.messages),
            messages_not_seen_ending=costs.not_seen_ending,
            vaults_cpu_s=round(costs.vaults_cpu_s, 2),
        )
        return HanseRun(observed=observed, features=prepare_features(workshop, finished.grants))


def shorten(workshop: Workshop) -> None:
    """Write the churn proposal with five training rounds instead of ten beside the others."""
    folder = workshop.root / "proposals"
    text = (folder / _PROPOSAL).read_text(encoding="utf-8")
    if text.count(_LATER_ROUNDS) != 1:
        raise SystemExit(f"{_PROPOSAL} no longer has one line {_LATER_ROUNDS.strip()!r}: mend this benchmark.")
    shortened = text.replace(_LATER_ROUNDS, f"rounds = {TRAINING_ROUNDS - 1}\n")
    (folder / _SHORTENED).write_text(shortened, encoding="utf-8")


def prepare_features(workshop: Workshop, grants: Mapping[str, DrawnGrants]) -> dict[str, Path]:
    """Compute what the vaults compute, once, as a Flower user's prepared data set."""
    week_one: date = workshop.league.load().week_one
    paths = {}
    for partner in workshop.partners:
        home = workshop.node(partner)
        granted = frozenset(PseudonymKey.load(home.pseudonym_key).pseudonyms(grants[partner].granted[_PURPOSE]))
        data = VaultData(path=home.purchases, anchor=week_one)
        cohort = [customer for customer in data.customers() if customer in granted]
        activity = data.activity(cohort, last_week=_LAST_WEEK + _HORIZON_WEEKS)
        breadth = data.breadth(cohort, last_week=_LAST_WEEK)
        chosen = eligible(activity, customers=len(cohort), cut=_LAST_WEEK)
        features = churn_features(activity, breadth, customers=len(cohort), cut=_LAST_WEEK)
        labels = churn_labels(activity, customers=len(cohort), cut=_LAST_WEEK, horizon_weeks=_HORIZON_WEEKS)
        paths[partner] = workshop.root / f"{partner}.npz"
        np.savez(paths[partner], features=features[chosen], labels=labels[chosen].astype(np.float64))
    return paths


def _round_seconds(workshop: Workshop, finished: Finished) -> tuple[float, ...]:
    """Read the centre's own journal; the evaluation, which comes last, is no training round."""
    (run,) = finished.runs
    events = list(RunFolder(workshop.league, run.proposal.run).events())
    seconds = [float(event["seconds"]) for event in events if event["event"] == "round-finished"]
    if len(seconds) != TRAINING_ROUNDS + 1:
        raise SystemExit(f"The journal has {len(seconds)} rounds, not {TRAINING_ROUNDS + 1}: {json.dumps(events)}")
    return tuple(seconds[:TRAINING_ROUNDS])
