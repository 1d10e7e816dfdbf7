"""Pseudonyms and keys of a controller's customers in memory, by number: what a manifest of hundreds of thousands needs.

A number's pseudonym and key never change; an erasure only takes them away. So what is held stays right for every
customer who may be used; who is erased is in no cohort from then on.
"""

import threading

import numpy as np
from numpy.typing import NDArray

from hanse_consent.storage.feeds import CustomerNumbers
from hanse_consent.storage.members import Members
from hanse_consent.storage.store import ConsentStore

_PSEUDONYM_BYTES = 16
_KEY_BYTES = 32


class MemberCache:
    """Grows with the customers; reads each from the store once.

    Args:
        store: Where customers are kept.
    """

    def __init__(self, store: ConsentStore) -> None:
        self._store = store
        self._by_controller: dict[str, _ControllerMembers] = {}
        self._lock = threading.Lock()

    def members(self, controller: str, numbers: NDArray[np.uint32]) -> Members:
        """Pseudonyms and keys of customers who were eligible a moment ago (sorted numbers).

        Those erased since are left out, and what was held of them is overwritten.
        """
        known = self._store.customer_numbers(controller)
        with self._lock:
            held = self._by_controller.setdefault(controller, _ControllerMembers(self._store, controller))
        return held.members(numbers, known)


class _ControllerMembers:
    def __init__(self, store: ConsentStore, controller: str) -> None:
        self._store = store
        self._controller = controller
        self._lock = threading.Lock()
        self._pseudonyms = np.zeros((1, _PSEUDONYM_BYTES), dtype=np.uint8)
        self._keys = np.zeros((1, _KEY_BYTES), dtype=np.uint8)

    def members(self, numbers: NDArray[np.uint32], known: CustomerNumbers) -> Members:
        with self._lock:
            if known.last >= len(self._pseudonyms):
                self._grow(known.last)
            self._pseudonyms[known.erased] = 0
            self._keys[known.erased] = 0
            asked = np.setdiff1d(numbers, known.erased, assume_unique=True)
            return Members(numbers=asked, pseudonyms=self._pseudonyms[asked], keys=self._keys[asked])

    def _grow(self, last: int) -> None:
        first = len(self._pseudonyms)
        added = self._store.members(self._controller, np.arange(first, last + 1, dtype=np.uint32))
        rows = last + 1 - first
        pseudonyms = np.zeros((rows, _PSEUDONYM_BYTES), dtype=np.uint8)
        keys = np.zeros((rows, _KEY_BYTES), dtype=np.uint8)
        pseudonyms[added.numbers - first] = added.pseudonyms
        keys[added.numbers - first] = added.keys
        self._pseudonyms = np.concatenate([self._pseudonyms, pseudonyms])
        self._keys = np.concatenate([self._keys, keys])
