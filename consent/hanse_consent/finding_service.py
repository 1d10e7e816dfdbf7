"""What a controller does not have in order: counts from the store, the registry in force, and the law packs' duties."""

from collections.abc import Callable
from datetime import datetime

from hanse_consent.decisions.people import governed_by
from hanse_consent.domain.findings import FindingReport
from hanse_consent.domain.moments import to_microseconds
from hanse_consent.domain.parties import Controller
from hanse_consent.domain.purposes import LegalBasis
from hanse_consent.domain.registry import Registry
from hanse_consent.law.duties import CustomerCounts, duty_findings
from hanse_consent.law.duty_rules import ConsentsNotOutgrown, ConsentsSaidApart, DutyCondition
from hanse_consent.law.packs import LawPack, LawPacks
from hanse_consent.storage.counting import CustomerCounting
from hanse_consent.storage.errors import ControllerUnknownError
from hanse_consent.storage.store import ConsentStore


class FindingService:
    """Counts, and asks the duties.

    Args:
        store: Has the registry.
        counting: Counts a controller's customers.
        packs: The law packs.
        now: The service's clock.
    """

    def __init__(
        self, *, store: ConsentStore, counting: CustomerCounting, packs: LawPacks, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._counting = counting
        self._packs = packs
        self._now = now

    def report(self, controller: str) -> FindingReport:
        """Everything that one controller does not have in order, now.

        Raises:
            ControllerUnknownError: If the controller is not registered.
            StoreUnavailableError: If the store cannot be read.
        """
        at, registry = self._now(), self._store.registry()
        registered = registry.controller(controller)
        if registered is None:
            raise ControllerUnknownError(f"The controller {controller} is not registered.", "Check the name.")
        counts = self._counts(registered, registry=registry, at=at)
        return FindingReport(
            controller=controller,
            found_at=at,
            registry_version=registry.version,
            pack_versions=self._packs.versions(at),
            findings=duty_findings(registered, registry=registry, packs=self._packs, counts=counts, at=at),
        )

    def _counts(self, controller: Controller, *, registry: Registry, at: datetime) -> CustomerCounts:
        at_us, packs = to_microseconds(at), self._packs.in_force(at)
        return CustomerCounts(
            governed={
                pack.name: self._counting.members(controller.name, governed_by(pack, controller), at_us=at_us)
                for pack in packs
                if not pack.governs_everybody
            },
            by_rule={
                rule.id: self._counted(rule.condition, controller, pack=pack, registry=registry, at=at)
                for pack in packs
                for rule in pack.duties
            },
        )

    def _counted(
        self, condition: DutyCondition, controller: Controller, *, pack: LawPack, registry: Registry, at: datetime
    ) -> int:
        match condition:
            case ConsentsSaidApart(kinds=kinds, purposes_from=purposes):
                return self._counting.said_together(controller.name, kinds=kinds, purposes_from=purposes)
            case ConsentsNotOutgrown(age=years):
                on_consent = [
                    purpose.name for purpose in registry.purposes if purpose.basis(pack.name) is LegalBasis.CONSENT
                ]
                return self._counting.outgrown(
                    controller.name, governed_by(pack, controller), purposes=on_consent, years=years, at=at
                )
            case _:
                return 0
