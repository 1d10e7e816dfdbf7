"""One client of Flower's SecAgg+, stage by stage: the functions of its own mod, called as the mod calls them.

Every client holds shares of every other, so that nobody's vector is protected by fewer than all, as in Hanse; all else
is as :class:`flwr.server.workflow.SecAggPlusWorkflow` has it by default. Nothing is sent: what a server would carry
from client to client is passed on in memory.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from flwr.app import ConfigRecord
from flwr.client.mod.secure_aggregation.secaggplus_mod import (
    SecAggPlusState,
    _collect_masked_vectors,
    _setup,
    _share_keys,
)
from flwr.common import Parameters, ndarrays_to_parameters
from flwr.common.secure_aggregation.quantization import dequantize, quantize
from flwr.common.secure_aggregation.secaggplus_constants import Key
from numpy.typing import NDArray

CLIPPING_RANGE = 8.0
TARGET_RANGE = 2**22
_MODULUS = 2**32
_MAX_WEIGHT = 1000.0


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A client to whom all others' shares have come.

    Args:
        state: Its state.
        configs: What the server asks the last stage with.
    """

    state: SecAggPlusState
    configs: ConfigRecord


def new_clients(count: int) -> list[SecAggPlusState]:
    """Clients that have not begun."""
    clients = []
    for number in range(count):
        state = SecAggPlusState()
        state.nid = number + 1
        clients.append(state)
    return clients


def set_up(state: SecAggPlusState, *, clients: int) -> tuple[bytes, bytes]:
    """Stage 1: two key pairs."""
    configs = ConfigRecord(
        {
            Key.SAMPLE_NUMBER: clients,
            Key.SHARE_NUMBER: clients,
            Key.THRESHOLD: 2 * clients // 3 + 1,
            Key.CLIPPING_RANGE: CLIPPING_RANGE,
            Key.TARGET_RANGE: TARGET_RANGE,
            Key.MOD_RANGE: _MODULUS,
            Key.MAX_WEIGHT: _MAX_WEIGHT,
        }
    )
    sent = _setup(state, configs)
    return _bytes(sent[Key.PUBLIC_KEY_1]), _bytes(sent[Key.PUBLIC_KEY_2])


def share_keys(state: SecAggPlusState, keys: dict[int, tuple[bytes, bytes]]) -> dict[int, bytes]:
    """Stage 2: agree with every client and share the secrets; returns what goes to each."""
    sent = _share_keys(state, ConfigRecord({str(client): list(pair) for client, pair in keys.items()}))
    return dict(zip(_list(sent[Key.DESTINATION_LIST]), _list(sent[Key.CIPHERTEXT_LIST]), strict=True))


def prepared(state: SecAggPlusState, ciphertexts: dict[int, bytes]) -> Prepared:
    """What stage 3 is asked with: from every other client a ciphertext."""
    configs = ConfigRecord({Key.SOURCE_LIST: list(ciphertexts), Key.CIPHERTEXT_LIST: list(ciphertexts.values())})
    return Prepared(state=state, configs=configs)


def parameters_of(vector: NDArray[np.floating[Any]]) -> Parameters:
    """A vector as Flower passes it to the mod."""
    return ndarrays_to_parameters([vector])


def masked_vector(client: Prepared, parameters: Parameters) -> list[bytes]:
    """Stage 3: clip, quantise, mask."""
    sent = _collect_masked_vectors(client.state, client.configs, int(_MAX_WEIGHT), parameters)
    masked: list[bytes] = _list(sent[Key.MASKED_PARAMETERS])
    return masked


def quantised(vector: NDArray[np.floating[Any]]) -> NDArray[np.int32]:
    """Clipped and rounded at random to Flower's grid."""
    return quantize([vector], CLIPPING_RANGE, TARGET_RANGE)[0]


def dequantised_sum(vectors: list[NDArray[np.int32]]) -> NDArray[np.float64]:
    """The sum of quantised vectors in the vectors' own unit: each was shifted by the clip, the server undoes one."""
    total = np.sum(vectors, axis=0, dtype=np.int64)
    read: NDArray[np.float64] = dequantize([total], CLIPPING_RANGE, TARGET_RANGE)[0]
    return read - (len(vectors) - 1) * CLIPPING_RANGE


def _bytes(value: Any) -> bytes:
    assert isinstance(value, bytes)
    return value


def _list(value: Any) -> list[Any]:
    assert isinstance(value, list)
    return value
