"""Whose signatures are believed: the registered controllers' and the pinned centre's."""

import threading
from collections.abc import Callable

from hanse_consent.configuration import CentrePin
from hanse_consent.domain.registry import Registry
from hanse_consent.storage.store import ConsentStore
from hanse_privacy.identity import PublicKey

_MAX_AGE_S = 0.5


class PartyKeys:
    """Public keys by party, read again whenever the registry has changed.

    Args:
        store: Holds the registry.
        centre: The pinned centre, if the service takes proposals.
        clock: Monotonic seconds.
    """

    def __init__(self, *, store: ConsentStore, centre: CentrePin | None, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._read_at_s = -_MAX_AGE_S
        self._centre = centre
        self._lock = threading.Lock()
        self._version = -1
        self._keys: dict[str, PublicKey] = {}

    def key_of(self, party: str) -> PublicKey | None:
        """The key of a party served; none for any other. A key that is replaced is out within half a second."""
        with self._lock:
            if self._clock() - self._read_at_s < _MAX_AGE_S:
                return self._keys.get(party)
        read_at_s = self._clock()
        registry = self._store.registry()
        with self._lock:
            self._read_at_s = read_at_s
            if registry.version != self._version:
                self._keys = self._read(registry)
                self._version = registry.version
            return self._keys.get(party)

    def _read(self, registry: Registry) -> dict[str, PublicKey]:
        keys = {controller.name: PublicKey.from_text(controller.public_key) for controller in registry.controllers}
        if self._centre is not None:
            # Registered controllers come first: a centre named like one must not speak for its customers.
            keys.setdefault(self._centre.name, self._centre.key)
        return keys
