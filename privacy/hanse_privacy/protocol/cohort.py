"""A manifest's members: their salted leaves, how they travel beside the manifest, and what a vault loaded of them.

Each customer has a random 32-byte key at the consent service, which erasure destroys. For one partner, run and round::

    salt = BLAKE2b-128(key = the customer's key, message = partner, run and round)      RFC 7693, keyed mode
    leaf = SHA-256(0x00 ‖ salt ‖ pseudonym)                                              RFC 9162, 2.1.1

Keyed BLAKE2b is a pseudorandom function of its message, so to whoever lacks the key the salts of one customer in two
rounds are two independent random strings of 128 bits. Hence

- leaves of one customer cannot be linked across runs or rounds;
- a salt that is disclosed opens its own leaf and tells nothing about any other;
- once the key and the salts are gone, no leaf can be found again from the pseudonym: testing one guess would take
  2^128 salts. The leaves may stay, and every root with them;
- a leaf opens in one way only: salt and pseudonym have fixed lengths, so two openings would be a collision of SHA-256.
"""

import base64
import binascii
import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse_privacy.canonical import canonical_bytes
from hanse_privacy.errors import HanseError
from hanse_privacy.merkle import HASH_BYTES, is_sorted, leaf_hashes, root_of
from hanse_privacy.protocol.manifest import MOST_MISSED, CohortManifest, CohortReport
from hanse_privacy.validation import require

KEY_BYTES = 32
SALT_BYTES = 16
PSEUDONYM_BYTES = 16
MEMBER_BYTES = SALT_BYTES + PSEUDONYM_BYTES
"""One member of an opening: exactly what its leaf is the hash of, but for the prefix."""

Octets = NDArray[np.uint8]


class CohortOpeningError(HanseError):
    """The members that came with a manifest are not those that it was signed for."""

    code = "COHORT_OPENING_INVALID"


class CohortExceededError(HanseError):
    """Somebody was loaded whom the manifest does not name."""

    code = "COHORT_EXCEEDED"


@dataclass(frozen=True, kw_only=True)
class SaltContext:
    """What makes the salts of one round differ from those of any other."""

    partner: str
    run: str
    round: int

    def salts(self, keys: Octets) -> Octets:
        """The customers' salts, ``(n, 16)``, from their keys, ``(n, 32)``.

        Raises:
            InvalidValueError: If ``keys`` has another shape.
        """
        _require_rows("keys", keys, width=KEY_BYTES)
        blake2b = hashlib.blake2b
        message = canonical_bytes({"partner": self.partner, "round": self.round, "run": self.run, "use": "leaf-salt/1"})
        salts = [
            blake2b(message, key=key, digest_size=SALT_BYTES).digest()
            for (key,) in struct.iter_unpack(f"{KEY_BYTES}s", keys.tobytes())
        ]
        return np.frombuffer(b"".join(salts), dtype=np.uint8).reshape(-1, SALT_BYTES)


@dataclass(frozen=True, kw_only=True)
class SaltedLeaves:
    """A cohort as a tree has it.

    Args:
        hashes: Leaf hashes, sorted, one after the other.
        members: Salt and pseudonym of each, in the same order.
        order: Which of the given customers each is.
    """

    hashes: bytes
    members: bytes
    order: NDArray[np.intp]


def salted_leaves(pseudonyms: Octets, keys: Octets, *, context: SaltContext) -> SaltedLeaves:
    """Salt, hash and sort customers.

    Args:
        pseudonyms: ``(n, 16)``, each once.
        keys: The customers' erasable keys, ``(n, 32)``.
        context: Of the round.

    Raises:
        InvalidValueError: If the shapes do not fit.
    """
    _require_rows("pseudonyms", pseudonyms, width=PSEUDONYM_BYTES)
    require(len(keys) == len(pseudonyms), name="the number of keys", value=len(keys), bound=f"{len(pseudonyms)}")
    members = np.concatenate([context.salts(keys), pseudonyms], axis=1)
    hashes = np.frombuffer(leaf_hashes(members.tobytes(), width=MEMBER_BYTES), dtype=np.uint8)
    hashes = hashes.reshape(-1, HASH_BYTES)
    order = np.argsort(_as_strings(hashes), kind="stable")
    return SaltedLeaves(hashes=hashes[order].tobytes(), members=members[order].tobytes(), order=order)


class _Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    manifest: msgspec.Raw
    missed: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MOST_MISSED)]
    opening: bytes


@dataclass(frozen=True, kw_only=True)
class CohortAnswer:
    """What travels to the vault; nothing of it is verified yet.

    Args:
        manifest: Signed.
        missed: Signed manifests issued since the one that the vault named as known, oldest first.
        members: Of the manifest, one after the other.
    """

    manifest: bytes
    missed: tuple[bytes, ...]
    members: bytes


def encode_answer(answer: CohortAnswer) -> bytes:
    """One JSON object: the signed manifests as they are, and the members in base64."""
    missed = [msgspec.Raw(signed) for signed in answer.missed]
    return msgspec.json.encode(_Answer(manifest=msgspec.Raw(answer.manifest), missed=missed, opening=answer.members))


def decode_answer(answer: bytes) -> CohortAnswer:
    """Take an answer apart.

    Raises:
        CohortOpeningError: If it is no such object, or brings more than ``MOST_MISSED`` missed manifests.
    """
    try:
        parts = msgspec.json.decode(answer, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CohortOpeningError("The answer is no manifest with its members.", "Ask for it again.") from error
    return CohortAnswer(manifest=bytes(parts.manifest), missed=tuple(map(bytes, parts.missed)), members=parts.opening)


class Cohort:
    """A verified manifest and its members.

    Args:
        manifest: Its signature has been verified.
        members: What came beside it.
        missed: Manifests that came with it because the vault had missed them, oldest first; signatures verified.

    Raises:
        CohortOpeningError: If they are not the members that the manifest was signed for.
    """

    def __init__(self, manifest: CohortManifest, *, members: bytes, missed: tuple[CohortManifest, ...] = ()) -> None:
        if len(members) != manifest.count * MEMBER_BYTES:
            raise _not_opened("has another number of members than the manifest says")
        leaves = leaf_hashes(members, width=MEMBER_BYTES)
        if not is_sorted(leaves):
            raise _not_opened("is not in the order of its leaves, each once")
        if root_of(leaves).hex() != manifest.root:
            raise _not_opened("does not lead to the manifest's root")
        pseudonyms = _rows(members, width=MEMBER_BYTES)[:, SALT_BYTES:]
        self._leaf_of = np.argsort(_as_strings(pseudonyms), kind="stable")
        self._sorted = _as_strings(pseudonyms[self._leaf_of])
        if (self._sorted[1:] == self._sorted[:-1]).any():
            raise _not_opened("names a customer twice")
        self._leaves = leaves
        self.manifest = manifest
        """What the consent service signed."""
        self.missed = missed
        """What it signed since the manifest that the vault had named as known; not yet held against the chain."""
        self.customers = _in_hexadecimal(self._sorted)
        """The members' pseudonyms, sorted."""

    def report(self, loaded: Sequence[str]) -> CohortReport:
        """Say what was loaded of this cohort.

        Args:
            loaded: Pseudonyms of the customers that the data layer really loaded, in any order.

        Raises:
            CohortExceededError: If one is not in the cohort, or stands there twice.
        """
        is_loaded = np.zeros(self.manifest.count, dtype=np.bool_)
        is_loaded[self._leaves_of(loaded)] = True
        loaded_count = int(is_loaded.sum())
        if loaded_count != len(loaded):
            raise CohortExceededError("A customer was loaded twice.", "Look after the vault's data; nothing may leave.")
        # The tree over all leaves was computed when they were verified.
        everybody = loaded_count == self.manifest.count
        root = self.manifest.root if everybody else root_of(chosen_leaves(self._leaves, is_loaded)).hex()
        return CohortReport(
            partner=self.manifest.partner,
            run=self.manifest.run,
            round=self.manifest.round,
            manifest=self.manifest.digest,
            loaded_count=loaded_count,
            loaded_root=root,
            absent=base64.b64encode(np.packbits(~is_loaded).tobytes()).decode(),
        )

    def _leaves_of(self, customers: Sequence[str]) -> NDArray[np.intp]:
        wanted = _as_strings(_rows(bytes.fromhex("".join(customers)), width=PSEUDONYM_BYTES))
        places = np.searchsorted(self._sorted, wanted)
        if (places == len(self._sorted)).any() or (self._sorted[places] != wanted).any():
            raise CohortExceededError(
                "Somebody was loaded whom the manifest does not name.",
                "Look after the vault's data; nothing may leave.",
            )
        return self._leaf_of[places]


def absent_leaves(report: CohortReport, *, count: int) -> NDArray[np.bool_]:
    """Read which of a manifest's leaves a report calls absent.

    Args:
        report: The vault's report.
        count: Leaves of the manifest.

    Raises:
        InvalidValueError: If its bitmap is not one bit for each leaf.
    """
    try:
        bitmap = base64.b64decode(report.absent, validate=True)
    except binascii.Error:
        bitmap = b""
    require(
        len(bitmap) == (count + 7) // 8, name="absent", value=f"{len(bitmap)} bytes", bound=f"a bit for each of {count}"
    )
    bits = np.unpackbits(np.frombuffer(bitmap, dtype=np.uint8)).astype(np.bool_)
    require(not bits[count:].any(), name="absent", value="spare bits set", bound="0 in its spare bits")
    return bits[:count]


def in_leaf_order(leaves: bytes) -> bytes:
    """Leaf hashes, sorted as a tree has them."""
    rows = _rows(leaves, width=HASH_BYTES)
    return rows[np.argsort(_as_strings(rows), kind="stable")].tobytes()


def chosen_leaves(leaves: bytes, chosen: NDArray[np.bool_]) -> bytes:
    """Those of some leaf hashes that are chosen, in their order."""
    return _rows(leaves, width=HASH_BYTES)[chosen].tobytes()


def _rows(octets: bytes, *, width: int) -> Octets:
    return np.frombuffer(octets, dtype=np.uint8).reshape(-1, width)


def _as_strings(rows: Octets) -> NDArray[np.bytes_]:
    # NumPy compares these byte by byte; it takes trailing zeros for padding, which all rows of one width share.
    width = rows.shape[1]
    return np.ascontiguousarray(rows).reshape(-1).view(f"S{width}")


def _in_hexadecimal(sorted_pseudonyms: NDArray[np.bytes_]) -> tuple[str, ...]:
    digits = sorted_pseudonyms.tobytes().hex()
    step = 2 * PSEUDONYM_BYTES
    return tuple(digits[start : start + step] for start in range(0, len(digits), step))


def _require_rows(name: str, rows: Octets, *, width: int) -> None:
    require(
        rows.ndim == 2 and rows.shape[1] == width and rows.dtype == np.uint8,
        name=name,
        value=f"{rows.dtype} of shape {rows.shape}",
        bound=f"uint8 of shape (n, {width})",
    )


def _not_opened(how: str) -> CohortOpeningError:
    return CohortOpeningError(f"The cohort that came with the manifest {how}.", "Nobody may be used; ask for it again.")
