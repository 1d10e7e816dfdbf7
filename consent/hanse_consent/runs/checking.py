"""The check with everything it reads: the registry as it is now, the law packs, and how long approvals last."""

from collections.abc import Callable
from datetime import timedelta

from hanse_consent.decisions.planning import make_plan
from hanse_consent.domain.moments import from_microseconds
from hanse_consent.domain.registry import Registry
from hanse_consent.law.packs import LawPacks
from hanse_consent.runs.check import Planner, check
from hanse_consent.runs.events import Checked
from hanse_privacy.protocol.proposal import RunProposal
from hanse_privacy.validation import require


class ProposalChecker:
    """Checks proposals against what is in force at the moment.

    Args:
        registry: Reads what is registered now.
        packs: The law packs in force.
        approval_lasts: How long an approval holds, unless its proposal ends earlier.
        planner: Makes plans of questions.
    """

    def __init__(
        self,
        *,
        registry: Callable[[], Registry],
        packs: LawPacks,
        approval_lasts: timedelta,
        planner: Planner = make_plan,
    ) -> None:
        require(approval_lasts > timedelta(0), name="approval_lasts", value=approval_lasts, bound="above 0")
        self._registry = registry
        self._packs = packs
        self._approval_lasts_us = approval_lasts // timedelta(microseconds=1)
        self._planner = planner

    def controllers_of(self, proposal: RunProposal) -> tuple[str, ...]:
        """The partners of the roster whose consent is kept here, in the roster's order."""
        registry = self._registry()
        return tuple(name for name in proposal.partners() if registry.controller(name) is not None)

    def checked(self, proposal: RunProposal, *, controller: str, at_us: int) -> Checked:
        """Check a proposal for one controller.

        Args:
            proposal: What the centre wants to do.
            controller: The partner whose customers it is about.
            at_us: The moment asked about, microseconds since 1970.
        """
        result = check(
            proposal,
            controller=controller,
            registry=self._registry(),
            packs=self._packs,
            at=from_microseconds(at_us),
            planner=self._planner,
        )
        return Checked(
            at_us=at_us,
            findings=result.findings,
            high_risk=result.high_risk,
            registry_version=result.registry_version,
            pack_versions=result.pack_versions,
            approval_lasts_us=self._approval_lasts_us,
        )
