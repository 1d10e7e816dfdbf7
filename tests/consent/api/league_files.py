"""The files of a service for three shops, one of them in China: configuration, keys, purposes, notices, parties."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hanse_privacy.identity import SigningKey

SERVICE, CENTRE = "league-consent", "centre"
CONTROLLERS = {"alster": "DE", "elbe": "FR", "taihu": "CN"}
STATISTICS, CHURN, DETAIL, HEALTH = "joint-statistics", "churn-model", "churn-detail", "health-offers"
PURCHASES, AGE_RANGE, HEALTH_DATA = "pd:PurchasesAndSpendingHabit", "pd:AgeRange", "pd:Health"
STARTED = datetime.now(tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=30)
ENDS = STARTED + timedelta(days=365)
SOON = STARTED + timedelta(days=45)
"""When the one paper ends that nobody has renewed."""
DIGEST = "5f" * 32

_PURPOSES = f"""
[[purposes]]
name = "{STATISTICS}"
title = "Joint statistics"
description = "How often kinds of products are bought."
kind = "statistics"
retention_days = 730
consent_lasts_days = 730
data_categories = {{ standard = ["{PURCHASES}"] }}

[[purposes]]
name = "{CHURN}"
title = "A model of who may stop coming"
description = "Learns from how often customers buy."
kind = "training"
retention_days = 730
consent_lasts_days = 730
data_categories = {{ standard = ["{PURCHASES}"], advanced = ["{PURCHASES}", "{AGE_RANGE}"] }}

[[purposes]]
name = "{DETAIL}"
title = "How good that model is"
description = "Counts of right and wrong predictions."
kind = "evaluation"
parent = "{CHURN}"
retention_days = 730
consent_lasts_days = 730
data_categories = {{ standard = ["{PURCHASES}"] }}

[[purposes]]
name = "{HEALTH}"
title = "Offers for people with an illness"
description = "Matches purchases with what customers say of their health."
kind = "matching"
retention_days = 365
consent_lasts_days = 365
data_categories = {{ standard = ["{PURCHASES}", "{HEALTH_DATA}"] }}
"""

_STATEMENTS = f"""
[notices.statements]
controllers = ["alster", "elbe", "taihu"]
contact = "The data protection officer of the shop."
categories = ["{PURCHASES}", "{AGE_RANGE}", "{HEALTH_DATA}"]
means = "Each shop computes on its own customers; only sums with noise leave it."
retention = "Two years."
recipients = ["{CENTRE}", "insight"]
countries = ["DE", "FR", "US", "CN"]
rights = "Access, correction, erasure, restriction, objection, portability."
withdrawal = "At the till, at any time."
complaint = "The authority of your country."
necessity = "Only where you ask for such offers; others could learn of an illness."
"""


def _notice(name: str, *purposes: str, language: str = "en", published_at: datetime = STARTED) -> str:
    named = ", ".join(f'"{purpose}"' for purpose in purposes)
    return f"""
[[notices]]
name = "{name}"
version = "1"
language = "{language}"
file = "{name}@1.{language}.md"
purposes = [{named}]
published_at = "{published_at.isoformat()}"
{_STATEMENTS}"""


def _parties(keys: dict[str, SigningKey]) -> str:
    purposes = f'["{STATISTICS}", "{CHURN}", "{DETAIL}", "{HEALTH}"]'
    dates = f'starts_at = "{STARTED.isoformat()}"\nends_at = "{ENDS.isoformat()}"\ndocument_sha256 = "{DIGEST}"\n'
    parts = [
        f"""
[[controllers]]
name = "{name}"
legal_name = "{name.title()} Shops"
contact = "Officer of {name}"
address = "Market 1"
country = "{country}"
public_key = "{keys[name].public.text}"
presumed = {{ country = "{country}", adult = true }}

[[agreements]]
name = "service-for-{name}"
controller = "{name}"
party = "{SERVICE}"
role = "processor"
purposes = {purposes}
{dates}
[[assessments]]
name = "impact-{name}"
controller = "{name}"
kind = "personal-information-protection-impact"
purposes = {purposes}
approved_by = "The board"
{dates}
[[transfers]]
name = "contract-of-{name}"
controller = "{name}"
recipient = "{CENTRE}"
pack = "pipl"
mechanism = "standard-contract"
persons_this_year = 5
sensitive_persons_this_year = 0
{dates}"""
        for name, country in CONTROLLERS.items()
    ]
    parts.append(
        f"""
[[assessments]]
name = "fairness-of-alster"
controller = "alster"
kind = "fairness"
purposes = ["{CHURN}"]
approved_by = "The board"
starts_at = "{STARTED.isoformat()}"
ends_at = "{SOON.isoformat()}"
document_sha256 = "{DIGEST}"
"""
    )
    parts += [
        f"""
[[recipients]]
name = "{name}"
legal_name = "{name.title()}"
contact = "Officer of {name}"
country = "{country}"
"""
        for name, country in ((CENTRE, "DE"), ("insight", "US"))
    ]
    arranged = ", ".join(f'"{name}"' for name in (*CONTROLLERS, CENTRE))
    parts.append(f'\n[[joint_arrangements]]\nname = "league"\nparties = [{arranged}]\npurposes = {purposes}\n{dates}')
    return "".join(parts)


@dataclass(frozen=True, kw_only=True)
class LeagueFolder:
    """A service's folder and everybody's keys."""

    path: Path
    keys: dict[str, SigningKey]
    config: Path

    @property
    def service_key(self) -> SigningKey:
        return self.keys[SERVICE]

    def with_database(self, database: str, *, name: str) -> "LeagueFolder":
        """The same folder with another configuration file beside the first."""
        text = self.config.read_text().splitlines()
        config = self.path / name
        lines = [f'database = "{database}"' if line.startswith("database") else line for line in text]
        config.write_text("\n".join(lines))
        return replace(self, config=config)


def lay_out(path: Path, *, like: LeagueFolder | None = None) -> LeagueFolder:
    """Write everything that a service of three shops needs; its store is an SQLite file.

    Another service of the same shops and the same centre is laid out ``like`` the first one.
    """
    keys = {name: SigningKey.generate() for name in (SERVICE, CENTRE, *CONTROLLERS)}
    if like is not None:
        keys |= {name: key for name, key in like.keys.items() if name != SERVICE}
    notices = path / "notices"
    notices.mkdir(parents=True)
    keys[SERVICE].save(path / "service.key")
    index = [
        _notice("statistics", STATISTICS),
        _notice("statistics", STATISTICS, language="de"),
        _notice("churn", CHURN, DETAIL),
        _notice("health", HEALTH),
        _notice("later", STATISTICS, published_at=ENDS),
    ]
    (notices / "notices.toml").write_text("".join(index))
    for name in ("statistics@1.en", "statistics@1.de", "churn@1.en", "health@1.en", "later@1.en"):
        (notices / f"{name}.md").write_text(f"# {name}\n\nWhat is done, and how to stop it.\n")
    (path / "purposes.toml").write_text(_PURPOSES)
    (path / "parties.toml").write_text(_parties(keys))
    config = path / "consent.toml"
    config.write_text(
        f"""name = "{SERVICE}"
port = 0
database = "consent.db"
key = "service.key"
purposes = "purposes.toml"
notices = "notices"
parties = "parties.toml"
manifest_lifetime_s = 300

[centre]
name = "{CENTRE}"
public_key = "{keys[CENTRE].public.text}"
"""
    )
    return LeagueFolder(path=path, keys=keys, config=config)
