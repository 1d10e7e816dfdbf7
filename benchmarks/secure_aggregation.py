"""What secure aggregation costs a vault: masks against the bare keystream, a round against Flower's SecAgg+.

All times are processor seconds of one vault, user and system, for a million parameters. Draws of what is compared take
turns.

- ``mask_cpu_s``: masking for a roster of 21 in words of 32 bits, so 20 keystreams; ``mask_vs_keystream_ratio`` is over
  the same number of bytes of AES-256 in counter mode, added with NumPy, in the fastest of several ways to write it.
- ``round_cpu_s``: a vault's whole part in a round of 20 but for its noise: its key signed, 20 key messages verified, 19
  secrets agreed on, the vector encoded, masked and turned into bytes.
- ``vs_flower_ratio``: Flower's over ours, for what a client of SecAgg+ does until its masked vector is ready, among 20
  clients who all hold shares of each other (:mod:`flower_secagg`). Flower's part has quantisation in it, which in Hanse
  comes before a round, and secret shares against clients who vanish, which Hanse does without;
  ``vs_flower_without_quantisation_ratio`` leaves the first away. Flower's masks are drawn by a Mersenne Twister from a
  seed of 32 bits, ours by AES-256.
- ``max_error``: how far the sum of 20 masked vectors is from the sum of the vectors, in integer units: nothing.
  ``flower_max_error`` is how far Flower's quantisation takes a sum, in units of its clip.
"""

import dataclasses
import os

import numpy as np
from flower_secagg import (
    CLIPPING_RANGE,
    dequantised_sum,
    masked_vector,
    new_clients,
    parameters_of,
    prepared,
    quantised,
)
from flower_secagg import set_up as flower_set_up
from flower_secagg import share_keys as flower_share_keys
from keystream import WAYS
from masked_league import MaskedLeague, new_league
from numpy.typing import NDArray
from reporting import Observations, destination, report

from hanse_privacy.aggregation.masks import Attempt, mask
from hanse_privacy.aggregation.ring import Ring
from hanse_privacy.aggregation.session_keys import SessionKey, verified_keys

_SIZE = 1_000_000
_MASK_DRAWS = 15
_ROUND_DRAWS = 15
_FLOWER_DRAWS = 5
_PEERS = 20
_ROSTER = 20
_FIRST = Attempt(round=1, step=0, attempt=1)


def main() -> None:
    """Measure, print the figures as JSON and write them."""
    path = destination("Secure aggregation: what it costs a vault.", default="build/secure_aggregation.json")
    observations = Observations()
    league = new_league(_ROSTER)
    figures = {
        **_masks(Ring.BITS_32, observations, suffix=""),
        **_masks(Ring.BITS_64, observations, suffix="_64_bits"),
        **_rounds(league, observations),
        **_errors(league),
    }
    report(
        path,
        benchmark="secure_aggregation",
        packages=("numpy", "cryptography", "flwr"),
        draws={
            "parameters": _SIZE,
            "masks": _MASK_DRAWS,
            "rounds": _ROUND_DRAWS,
            "flower": _FLOWER_DRAWS,
            "errors": 1,
        },
        units={
            "*_cpu_s": "processor seconds of one vault or client, median",
            "mask_vs_keystream_ratio*": "mask_cpu_s over keystream_cpu_s, in 32 bits and in 64",
            "vs_flower_ratio": "flower_cpu_s over round_cpu_s",
            "vs_flower_without_quantisation_ratio": "flower_cpu_s less flower_quantise_cpu_s, over round_cpu_s",
            "max_error": "integer units",
            "flower_max_error": "of a sum, over the clip of one vector's entries",
        },
        figures=figures,
        observations=observations.values,
    )


def _vector(seed: int) -> NDArray[np.int64]:
    """Entries as a release has them, of which 21 fit 32 bits."""
    return np.random.default_rng(seed).integers(-(2**24), 2**24, size=_SIZE)


def _masks(ring: Ring, observations: Observations, *, suffix: str) -> dict[str, float]:
    league, vector = new_league(_PEERS + 1), _vector(1)
    keys = [os.urandom(32) for _ in range(_PEERS)]
    words = ring.encode(vector)

    def ours() -> None:
        # From the middle of the roster: half of the masks are added, half subtracted.
        middle = _PEERS // 2
        mask(
            vector,
            ring=ring,
            identity=league.identity,
            attempt=_FIRST,
            partner=league.partners[middle],
            pair_secrets=league.pair_secrets[middle],
        )

    for _ in range(_MASK_DRAWS):
        observations.time(f"mask{suffix}", ours)
        for name, way, chunk_bytes in WAYS:
            observations.time(
                f"keystream_{name}{suffix}",
                lambda way=way, chunk=chunk_bytes: way(words, keys, ring=ring, chunk_bytes=chunk),
            )
    keystream_cpu_s = min(observations.median(f"keystream_{name}{suffix}") for name, _, _ in WAYS)
    return {
        f"mask_cpu_s{suffix}": observations.median(f"mask{suffix}"),
        f"keystream_cpu_s{suffix}": keystream_cpu_s,
        f"mask_vs_keystream_ratio{suffix}": observations.median(f"mask{suffix}") / keystream_cpu_s,
    }


def _rounds(league: MaskedLeague, observations: Observations) -> dict[str, float]:
    vector = _vector(2)
    floats = (vector * (CLIPPING_RANGE / 2**24)).astype(np.float32)  # as a PyTorch model's parameters come

    def ours() -> None:
        identity, partner = league.identity, league.partners[0]
        session = SessionKey.generate()
        messages = [session.message(identity, partner=partner, key=league.lasting[0]), *league.messages[1:]]
        secrets = session.pair_secrets(identity, verified_keys(messages, identity), partner=partner)
        mask(
            vector, ring=Ring.BITS_32, identity=identity, attempt=_FIRST, partner=partner, pair_secrets=secrets
        ).tobytes()

    for number in range(_ROUND_DRAWS):
        observations.time("round", ours)
        if number % (_ROUND_DRAWS // _FLOWER_DRAWS) == 0:
            _flower_round(floats, observations)
    stages = ("flower_set_up", "flower_share_keys", "flower_masked_vector")
    found = {name: observations.median(name) for name in ("round", "flower", "flower_quantise", *stages)}
    return {
        **{f"{name}_cpu_s": value for name, value in found.items()},
        "vs_flower_ratio": found["flower"] / found["round"],
        "vs_flower_without_quantisation_ratio": (found["flower"] - found["flower_quantise"]) / found["round"],
    }


def _flower_round(vector: NDArray[np.float32], observations: Observations) -> None:
    """Everybody's first stages, of which one client's are timed; then that client's masked vector."""
    clients, parameters = new_clients(_ROSTER), parameters_of(vector)
    timed = clients[0]
    observations.time("flower_set_up", lambda: flower_set_up(timed, clients=_ROSTER))
    keys = {client.nid: flower_set_up(client, clients=_ROSTER) for client in clients[1:]}
    keys = {timed.nid: (timed.pk1, timed.pk2), **keys}
    observations.time("flower_share_keys", lambda: flower_share_keys(timed, keys))
    shares = {client.nid: flower_share_keys(client, keys)[timed.nid] for client in clients[1:]}
    client = prepared(timed, shares)
    observations.time("flower_masked_vector", lambda: masked_vector(client, parameters))
    observations.time("flower_quantise", lambda: quantised(vector))
    stages = ("flower_set_up", "flower_share_keys", "flower_masked_vector")
    observations.note("flower", sum(observations.values[stage][-1] for stage in stages))


def _errors(league: MaskedLeague) -> dict[str, float]:
    """Of a whole sum, ours through masks and Flower's through its grid; what masks do to neither is nothing."""
    vectors = [_vector(seed) for seed in range(_ROSTER)]
    attempt = dataclasses.replace(_FIRST, round=2)
    total = league.total(vectors, ring=Ring.BITS_32, attempt=attempt)
    floats = [vector * (CLIPPING_RANGE / 2**24) for vector in vectors]
    flowers = dequantised_sum([quantised(vector) for vector in floats])
    return {
        "max_error": float(np.abs(total - np.sum(vectors, axis=0)).max()),
        "flower_max_error": float(np.abs(flowers - np.sum(floats, axis=0)).max()) / CLIPPING_RANGE,
    }


if __name__ == "__main__":
    main()
