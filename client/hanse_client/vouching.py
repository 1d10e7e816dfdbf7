"""A node's voucher for another partner's key, made by its owner who has compared the fingerprint."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from hanse_client.vault.home import NodeHome
from hanse_client.vault.policy import load_policy
from hanse_privacy.identity import PublicKey, SigningKey
from hanse_privacy.protocol.vocabulary import PartyName
from hanse_privacy.protocol.vouchers import LONGEST_LIFE, Voucher, VoucherInvalidError, sign_voucher
from hanse_privacy.validation import require

_NAME: TypeAdapter[str] = TypeAdapter(PartyName)


@dataclass(frozen=True, kw_only=True)
class SignedVoucher:
    """A voucher as it is handed on, and what it says, for people.

    Args:
        voucher: What was signed.
        text: The signed voucher.
        centre: Name of the league's centre.
    """

    voucher: Voucher
    text: str
    centre: str

    def explain(self) -> str:
        """What the owner has just said, to whom, and for how long."""
        said, key = self.voucher, PublicKey(raw=self.voucher.public_key)
        return (
            f"{said.signer} vouches for {said.partner} until {said.expires_at:%Y-%m-%d %H:%M} UTC, in the league of"
            f" {self.centre} only.\n"
            f"fingerprint  {key.fingerprint}\n"
            f"You say with it that {said.partner} itself read this fingerprint to you, on a number that you already"
            " had. If it did not, delete the file.\n"
            f"Vaults that have pinned your key and allow vouchers may let {said.partner} into their runs on your word"
            " and others'. It cannot be taken back before it ends.\n"
            "Send the file to the central team, for the folder vouchers/ of the league."
        )


def vouch(home: NodeHome, partner: str, public_key: str, *, days: int, now: datetime) -> SignedVoucher:
    """Sign a voucher with the node's own key, for the league whose centre it has pinned.

    Args:
        home: The node's folder.
        partner: The other partner's name in the league.
        public_key: Its key, as its ``keygen`` printed it.
        days: How long the voucher counts.
        now: When it begins.

    Raises:
        InvalidValueError: If the name, the key or the days are out of their bounds.
        VoucherInvalidError: If no vault would count it, or it contradicts what is pinned here.
        HanseError: If the policy or the node's key cannot be read.
    """
    require(
        _is_name(partner), name="PARTNER", value=partner, bound="lower-case letters, digits and hyphens, 40 at most"
    )
    require(1 <= days <= LONGEST_LIFE.days, name="--days", value=days, bound=f"1 to {LONGEST_LIFE.days}")
    key, policy = PublicKey.from_text(public_key), load_policy(home.policy)
    own, signing = policy.node.partner, SigningKey.load(home.signing_key)
    if policy.partner_keys[own] != signing.public:
        raise VoucherInvalidError(
            f"policy.toml pins another key for {own} than the one in keys/node.key.",
            "Put this node's own public key there (hanse node keygen printed it).",
        )
    _require_no_contradiction(policy.partner_keys, own=own, partner=partner, key=key)
    voucher = Voucher(
        signer=own,
        partner=partner,
        public_key=key.raw,
        centre=policy.centre_key.raw,
        issued_at=now,
        expires_at=now + timedelta(days=days),
    )
    return SignedVoucher(voucher=voucher, text=sign_voucher(voucher, key=signing), centre=policy.pins.centre)


def write_voucher(signed: SignedVoucher, path: Path) -> None:
    """Write a voucher to a file; never over an existing one.

    Raises:
        VoucherInvalidError: If the file exists or cannot be written.
    """
    try:
        with path.open("x", encoding="ascii") as file:
            file.write(f"{signed.text}\n")
    except OSError as error:
        raise VoucherInvalidError(
            f"The voucher {path} cannot be written ({error.strerror}).",
            "Name a new file with --out, in a folder that exists.",
        ) from error


def _is_name(text: str) -> bool:
    try:
        _NAME.validate_python(text)
    except ValidationError:
        return False
    return True


def _require_no_contradiction(pins: Mapping[str, PublicKey], *, own: str, partner: str, key: PublicKey) -> None:
    if partner == own or key == pins[own]:
        raise VoucherInvalidError(f"{own} cannot vouch for itself.", "Others vouch for it, who have compared its key.")
    if pins.get(partner, key) != key:
        raise VoucherInvalidError(
            f"policy.toml pins another key for {partner} (fingerprint {pins[partner].fingerprint}).",
            "Compare fingerprints with the partner again, and mend the pin first if the key is new.",
        )
    others = [name for name, pinned in pins.items() if pinned == key and name != partner]
    if others:
        raise VoucherInvalidError(
            f"policy.toml pins this key as that of {others[0]}, not of {partner}.", "One key has one name: ask both."
        )
