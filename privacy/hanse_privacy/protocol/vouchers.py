"""Vouchers: a partner's signed word that a key is another partner's, for vaults that have not pinned that key.

A vault believes the keys that its owner has pinned. One that allows it also lets in a partner whom enough *pinned*
partners vouch for, each with a signature over exactly that name and key, for one league and a bounded time.

What enough vouchers show. Let c be how many of the partners pinned here may collude with the centre. The word of c
partners may be a lie; among c + 1 there is an honest one, who compared the key with its owner. The h of a proposal
alone would not do: the centre writes it, and it may be 1. So a vault asks for max(h, its own floor), and the floor is
c + 1 or more. Vouchers do not chain: the word of a partner who is itself vouched for does not count. Else one honest
mistake, or one colluder who was let in honestly, would let in any number.

What they do not show. A voucher says whose key it is, not that its owner is honest: a real partner may collude, and
nobody has said how many of those whom the vault's owner never met do. Keys of the centre's own making (sybils: Douceur,
"The Sybil Attack", IPTPS 2002) are the same to the sum as partners who collude. So whatever protects counts pinned
partners only: with p of them in the roster, h is at most p - c. Then h of the pinned are honest and add their noise,
and ε holds against the centre together with c of the pinned and everybody who was vouched for, even if every voucher
were a lie. The price is noise: a partner who is vouched for makes the sum larger, and h no larger, until it is pinned.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from pydantic import StringConstraints

from hanse_privacy.errors import HanseError, SignatureInvalidError
from hanse_privacy.identity import PublicKey, SigningKey
from hanse_privacy.signed_records import decode_record, sign_record, verified_body

LONGEST_LIFE = timedelta(days=180)
"""A voucher cannot be taken back; so long it may count."""

_CONTEXT = "partner-voucher/1"
_TEXT = r"^hanse-voucher:[a-z][a-z0-9-]{0,39}:[a-z][a-z0-9-]{0,39}:[0-9A-Za-z+/]+={0,2}$"
_KEY_BYTES = 32

VoucherText = Annotated[str, StringConstraints(pattern=_TEXT, max_length=1000)]
"""A voucher as files and rosters carry it: ``hanse-voucher:``, who vouches, for whom, and the signed record in base64.

The names in front say which key to verify with; what counts is inside.
"""


class VoucherInvalidError(HanseError):
    """A voucher cannot be made, or is none that counts."""

    code = "VOUCHER_INVALID"
    exit_code = 2


class Voucher(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed: a partner's name and key, in whose league, and for how long."""

    signer: str
    partner: str
    public_key: bytes
    centre: bytes
    """The key of the league's centre: in another league the voucher does not count."""
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class VoucherClaim:
    """Who says they vouch for whom, not yet verified."""

    signer: str
    partner: str
    signed: bytes


@dataclass(frozen=True, kw_only=True)
class VoucherCount:
    """Whose vouchers for a partner count.

    Args:
        by: Pinned partners, each once, in the order of their vouchers.
        others: Of each other voucher, why it does not count.
    """

    by: tuple[str, ...]
    others: tuple[str, ...]

    def in_words(self, *, needed: int) -> str:
        """How many count of how many that are needed, whose they are, and what is wrong with the others."""
        counted = f"{len(self.by)} of {needed} vouchers needed count"
        who = f" (by {', '.join(self.by)})" if self.by else ""
        return f"{counted}{who}" + "".join(f"; {other}" for other in self.others)


@dataclass(frozen=True, kw_only=True)
class VoucherRules:
    """What one verifier holds vouchers against.

    Args:
        pins: The keys that it believes, by partner.
        centre: Key of the league's centre, as it has pinned it.
        now: Its clock.
        until: How long the vouchers are needed: those of a run must outlive its proposal, so that no run loses a
            partner in its middle.
    """

    pins: Mapping[str, PublicKey]
    centre: PublicKey
    now: datetime
    until: datetime

    def count(self, texts: Iterable[str], *, partner: str, key: PublicKey) -> VoucherCount:
        """Count the pinned partners who vouch for exactly this name and key.

        Never raises for what the texts hold: a voucher that is not good does not count.
        """
        by: dict[PublicKey, str] = {}
        others: list[str] = []
        for text in texts:
            try:
                signer = self._signer_of(text, partner=partner, key=key)
                # By key: two names of one key are one partner.
                if self.pins[signer] in by:
                    raise VoucherInvalidError(
                        f"Another voucher of {signer} counts already.", "One partner has one voice."
                    )
            except HanseError as error:
                others.append(_as_clause(error.what))
            else:
                by[self.pins[signer]] = signer
        return VoucherCount(by=tuple(by.values()), others=tuple(others))

    def _signer_of(self, text: str, *, partner: str, key: PublicKey) -> str:
        """Return who vouches, if the voucher counts.

        Raises:
            HanseError: If it does not.
        """
        claim = read_claim(text)
        signer, mend = claim.signer, "Ask for another voucher."
        if partner in self.pins:
            raise VoucherInvalidError(f"The voucher of {signer} is for {partner}, who is pinned here.", mend)
        if key in self.pins.values():
            raise VoucherInvalidError(
                f"The voucher of {signer} is for a key that is pinned here as another partner's.", mend
            )
        if signer == partner:
            raise VoucherInvalidError(f"The voucher of {signer} is for {signer} itself.", mend)
        if signer not in self.pins:
            raise VoucherInvalidError(f"The voucher of {signer} is by a partner who is not pinned here.", mend)
        voucher = open_voucher(text, key=self.pins[signer])
        for is_broken, fault in (
            (voucher.partner != partner, "is for another partner"),
            (voucher.public_key != key.raw, "is for another key"),
            (voucher.centre != self.centre.raw, "is for another league"),
            (voucher.issued_at > self.now, "is from the future"),
            (voucher.expires_at <= self.now, "has expired"),
            (voucher.expires_at < self.until, "ends before the run's proposal does"),
        ):
            if is_broken:
                raise VoucherInvalidError(f"The voucher of {signer} {fault}.", mend)
        return signer


def sign_voucher(voucher: Voucher, *, key: SigningKey) -> str:
    """Sign a voucher.

    Returns:
        The voucher as text, a :data:`VoucherText`.

    Raises:
        VoucherInvalidError: If no verifier would take it: a malformed name or key, or a life that is none or too long.
    """
    _require_sound(voucher)
    signed = base64.b64encode(sign_record(voucher, context=_CONTEXT, key=key)).decode()
    text = f"hanse-voucher:{voucher.signer}:{voucher.partner}:{signed}"
    read_claim(text)
    return text


def read_claim(text: str) -> VoucherClaim:
    """Read a voucher's text, without believing it.

    Raises:
        VoucherInvalidError: If it is no voucher's text.
    """
    if not re.fullmatch(_TEXT, text):
        raise VoucherInvalidError(
            "A text is no voucher.", "It is one line that 'hanse node vouch' wrote: copy it whole, names included."
        )
    _, signer, partner, encoded = text.split(":")
    try:
        signed = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        signed = b""
    # Base64 has spare bits at its end: a voucher must not have two spellings.
    if base64.b64encode(signed).decode() != encoded:
        raise VoucherInvalidError(f"The voucher of {signer} is cut off or altered.", "Copy the whole line.")
    return VoucherClaim(signer=signer, partner=partner, signed=signed)


def open_voucher(text: str, *, key: PublicKey) -> Voucher:
    """Verify and decode a voucher.

    Args:
        text: The voucher.
        key: The key of whom it names as its signer.

    Raises:
        VoucherInvalidError: If it is malformed, not signed by ``key``, other names stand in front than inside, or it
            counts for longer than a voucher may.
    """
    claim = read_claim(text)

    def malformed(_what: str, mend: str) -> VoucherInvalidError:
        return VoucherInvalidError(f"The voucher of {claim.signer} is malformed.", mend)

    try:
        body = verified_body(claim.signed, context=_CONTEXT, key=key, error=malformed)
    except SignatureInvalidError as error:
        raise VoucherInvalidError(f"The voucher of {claim.signer} is not signed with its key.", error.mend) from error
    voucher = decode_record(body, Voucher, error=malformed)
    if (voucher.signer, voucher.partner) != (claim.signer, claim.partner):
        raise VoucherInvalidError(
            f"The voucher of {claim.signer} holds other names than stand before it.", "Copy it whole."
        )
    _require_sound(voucher)
    return voucher


def _require_sound(voucher: Voucher) -> None:
    if len(voucher.public_key) != _KEY_BYTES or len(voucher.centre) != _KEY_BYTES:
        raise VoucherInvalidError(
            f"The voucher of {voucher.signer} holds no keys of {_KEY_BYTES} bytes.", "Make it anew."
        )
    if voucher.issued_at.tzinfo is None or voucher.expires_at.tzinfo is None:
        raise VoucherInvalidError(f"The voucher of {voucher.signer} has times without a time zone.", "Make it anew.")
    if not timedelta(0) < voucher.expires_at - voucher.issued_at <= LONGEST_LIFE:
        raise VoucherInvalidError(
            f"The voucher of {voucher.signer} counts for {(voucher.expires_at - voucher.issued_at).days} days.",
            f"It must end after it begins, {LONGEST_LIFE.days} days later at most.",
        )


def _as_clause(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].removesuffix(".")
