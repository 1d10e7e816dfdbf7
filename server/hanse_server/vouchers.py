"""The league's folder ``vouchers/``: what partners say of each other's keys, put beside the roster's entries.

The central team drops in the files that partners send. No vault believes the centre for it: each counts the vouchers
by its own pins. What is looked at here spares everybody a run that vaults would refuse.
"""

from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from hanse_privacy.errors import HanseError
from hanse_privacy.identity import PublicKey
from hanse_privacy.protocol.documents import describe
from hanse_privacy.protocol.proposal import RosterEntry
from hanse_privacy.protocol.vouchers import VoucherClaim, VoucherRules, read_claim
from hanse_server.league import League, LeagueInvalidError


def with_vouchers(league: League, folder: Path, *, centre: PublicKey, now: datetime, until: datetime) -> League:
    """Put each voucher in a folder beside the entry of the partner whom it is for; others are left where they are.

    Args:
        league: The league as its ``league.toml`` says it.
        folder: One voucher a file; hidden files are passed over, and the folder may be missing.
        centre: The centre's own key.
        now: The centre's clock.
        until: How long the vouchers are needed: the end of the proposal.

    Raises:
        LeagueInvalidError: Naming a file that holds no voucher, or one by a partner of the roster that no vault would
            count: it has expired or ends too early, was altered, or is for another key or league.
    """
    roster = {entry.partner: entry.key for entry in league.roster}
    added: dict[str, list[str]] = {partner: [] for partner in roster}
    for path in sorted(folder.glob("[!.]*")):
        text = _read(path)
        claim = _claimed(path, text)
        if claim.partner in roster:
            _require_good(
                path,
                text,
                claim,
                key=roster[claim.partner],
                # As a vault does that has pinned everybody but the new partner.
                rules=VoucherRules(
                    pins={name: key for name, key in roster.items() if name != claim.partner},
                    centre=centre,
                    now=now,
                    until=until,
                ),
            )
            added[claim.partner].append(text)
    try:
        entries = tuple(
            RosterEntry.model_validate(entry.model_dump() | {"vouchers": (*entry.vouchers, *added[entry.partner])})
            for entry in league.roster
        )
    except ValidationError as error:
        raise LeagueInvalidError(
            f"The vouchers in {folder} cannot go into a proposal: {describe(error)}.", "Remove those not needed."
        ) from error
    return league.model_copy(update={"roster": entries})


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LeagueInvalidError(f"The voucher {path} cannot be read.", "Mend the file, or remove it.") from error


def _claimed(path: Path, text: str) -> VoucherClaim:
    try:
        return read_claim(text)
    except HanseError as error:
        raise LeagueInvalidError(f"The file {path} cannot be used. {error.what}", error.mend) from error


def _require_good(path: Path, text: str, claim: VoucherClaim, *, key: PublicKey, rules: VoucherRules) -> None:
    if claim.signer != claim.partner and claim.signer not in rules.pins:
        return  # of a stranger's word the centre can say nothing; a vault that has pinned the stranger can
    for fault in rules.count([text], partner=claim.partner, key=key).others:
        raise LeagueInvalidError(
            f"The voucher {path} is not good: {fault}.", "Remove the file, or ask who vouches for another one."
        )
