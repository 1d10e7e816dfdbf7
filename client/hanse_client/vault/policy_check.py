"""A proposal held against the partner's own policy: every rule that it breaks, named at once."""

from datetime import datetime

from hanse_client.vault.policy import LimitSection, Policy
from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.proposal import RosterEntry, RunProposal, Step
from hanse_privacy.protocol.vouchers import VoucherRules
from hanse_privacy.protocol.written_units import Unit


class PolicyViolationError(HanseError):
    """A proposal asks for more than the policy allows."""

    code = "POLICY_VIOLATION"


def require_allowed(policy: Policy, proposal: RunProposal, *, now: datetime) -> None:
    """Hold a proposal against the policy; every rule it breaks is named at once.

    Args:
        policy: The partner's own.
        proposal: What the centre asks.
        now: The vault's clock, for vouchers.

    Raises:
        PolicyViolationError: If any rule is broken.
    """
    broken = [*_roster_faults(policy, proposal, now=now), *_limit_faults(policy, proposal)]
    if broken:
        raise PolicyViolationError(
            f"{policy.node.partner}'s policy does not allow run {proposal.run}: {'; '.join(broken)}.",
            "Propose less, or ask the partner to change its policy.",
        )


def cohort_floor(policy: Policy, proposal: RunProposal) -> int:
    """Return the smallest cohort that a round may use: the policy's floor, doubled until it reaches the proposal's.

    A centre that could choose the floor freely would learn the exact size of a cohort by trying; this
    way it learns at most between which two doublings of the partner's own floor it lies.
    """
    floor = policy.limits.minimum_cohort
    while floor < proposal.minimum_cohort:
        floor *= 2
    return floor


def _roster_faults(policy: Policy, proposal: RunProposal, *, now: datetime) -> list[str]:
    faults = []
    for entry in proposal.roster:
        pinned = policy.pins.partners.get(entry.partner)
        if pinned is None:
            faults += _unpinned_faults(policy, proposal, entry, now=now)
        elif pinned != entry.public_key:
            faults.append(f"the roster's key of {entry.partner} is not the pinned one")
    if policy.node.partner not in proposal.partners():
        faults.append("this partner is not in the roster")
    # Whoever is vouched for may collude, for all that is known here: what protects counts pinned partners only.
    known = sum(entry.partner in policy.pins.partners for entry in proposal.roster)
    which = "" if known == len(proposal.roster) else " pinned here"
    if known < policy.limits.minimum_partners:
        faults.append(f"{known} partners{which}, at least {policy.limits.minimum_partners} needed")
    honest = known - policy.limits.colluding_partners
    if proposal.honest_minimum > honest:
        faults.append(
            f"its noise counts on {proposal.honest_minimum} honest partners of {known}{which}, at most"
            f" {max(honest, 0)} here"
        )
    return faults


def _unpinned_faults(policy: Policy, proposal: RunProposal, entry: RosterEntry, *, now: datetime) -> list[str]:
    fault, least = f"partner {entry.partner} in the roster is not pinned here", policy.limits.vouchers_needed
    if least is None:
        return [fault]
    rules = VoucherRules(pins=policy.partner_keys, centre=policy.centre_key, now=now, until=proposal.expires_at)
    count = rules.count(entry.vouchers, partner=entry.partner, key=entry.key)
    needed = max(least, proposal.honest_minimum)
    return [] if len(count.by) >= needed else [f"{fault}, and {count.in_words(needed=needed)}"]


def _limit_faults(policy: Policy, proposal: RunProposal) -> list[str]:
    limits = policy.limits
    faults = [fault for step in proposal.steps for fault in _operation_faults(limits, step)]
    faults += _unit_faults(limits, proposal.unit)
    if policy.pins.centre not in {recipient.name for recipient in proposal.recipients}:
        faults.append(f"{policy.pins.centre} receives every sum and is not among the recipients")
    if proposal.week_one != limits.week_one:
        faults.append(f"week 1 begins on {proposal.week_one}, here on {limits.week_one}")
    faults += [
        f"tier {step.tier.value} is above {limits.highest_tier.value}"
        for step in proposal.steps
        if step.tier.rank > limits.highest_tier.rank
    ]
    faults += [
        f"data category {category} is not allowed"
        for category in proposal.data_categories
        if category not in limits.data_categories
    ]
    for recipient in proposal.recipients:
        if recipient.name not in limits.recipients:
            faults.append(f"recipient {recipient.name} is not allowed")
        if recipient.country not in limits.countries:
            faults.append(f"recipient {recipient.name} is in {recipient.country}, which is not allowed")
    if proposal.epsilon > limits.run_epsilon:
        faults.append(f"epsilon {proposal.epsilon:g} is above {limits.run_epsilon:g} for one run")
    if proposal.delta > limits.delta:
        faults.append(f"delta {proposal.delta:g} is above {limits.delta:g}")
    return faults


def _unit_faults(limits: LimitSection, unit: Unit) -> list[str]:
    faults = [] if unit.kind in limits.units else [f"privacy unit {unit.kind.value} is not allowed"]
    faults += [
        f"the {paper} is not among the accepted_proofs for this unit at {paper.partners_at_most} partners"
        for paper in unit.papers
        if not any(
            (accepted.sha256, accepted.unit) == (paper.sha256, unit.kind)
            and accepted.partners_at_most <= paper.partners_at_most
            for accepted in limits.accepted_proofs
        )
    ]
    return faults


def _operation_faults(limits: LimitSection, step: Step) -> list[str]:
    allowed = limits.operations.get(step.operation)
    if allowed is None:
        return [f"operation {step.operation} is not allowed"]
    faults = []
    if step.purpose not in allowed.purposes:
        faults.append(f"purpose {step.purpose} is not allowed for {step.operation}")
    if step.tier.rank < allowed.lowest_tier.rank:
        faults.append(f"tier {step.tier.value} is below {allowed.lowest_tier.value} for {step.operation}")
    return faults
