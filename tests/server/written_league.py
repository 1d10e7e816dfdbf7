"""A centre's folder with a league of two partners, for tests that start nothing."""

from pathlib import Path

from hanse_privacy.identity import SigningKey
from hanse_server.league import LeagueHome

_LEAGUE = """
name = "League"
week_one = 2026-01-05

[centre]
name = "centre"
country = "DE"

[[roster]]
partner = "north"
public_key = "{north}"

[[roster]]
partner = "south"
public_key = "{south}"

[[consent_services]]
url = "http://127.0.0.1:1"
public_key = "{consent}"
partners = ["north", "south"]

[budget]
epsilon = {epsilon}
delta = 1e-6
"""


def written_league(
    folder: Path, *, north: SigningKey, south: SigningKey, consent: SigningKey, epsilon: float = 50.0
) -> LeagueHome:
    """Write ``league.toml`` and the centre's key, or only another cap.

    Args:
        folder: Where.
        north: The north's key.
        south: The south's.
        consent: The consent service's.
        epsilon: The most that a person may lose, at δ = 1e-6.
    """
    keys = {"north": north.public.text, "south": south.public.text, "consent": consent.public.text}
    (folder / "league.toml").write_text(_LEAGUE.format(epsilon=epsilon, **keys), encoding="utf-8")
    home = LeagueHome(root=folder)
    if not home.signing_key.exists():
        home.signing_key.parent.mkdir(mode=0o700, parents=True)
        SigningKey.generate().save(home.signing_key)
    return home
