"""What people may do: roles, permissions, and the one table that joins them.

What the table does not give is denied. A role is held at one controller and says nothing about another.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from hanse_privacy.protocol.vocabulary import PartyName


class Permission(StrEnum):
    """One thing that an account may be allowed to do at one controller."""

    READ_REGISTRY = "read-registry"
    """Purposes, notices, agreements, transfers, assessments."""
    CHECK_CONSENT = "check-consent"
    """Whether one customer may be used for a purpose: yes or no with its reasons."""
    LOOK_UP_CUSTOMER = "look-up-customer"
    """Everything recorded of one customer; each time with a reason."""
    RECORD_ACTS = "record-acts"
    """Write down what customers say."""
    PROPOSE_RUN = "propose-run"
    DECIDE_RUN = "decide-run"
    """Approve or refuse a proposed run."""
    REVOKE_RUN = "revoke-run"
    READ_RUNS = "read-runs"
    KEEP_RECORDS = "keep-records"
    """Assessments, requests of customers, incidents."""
    EXPORT = "export"
    """Take registers, run records and evidence away as files; a person's own needs LOOK_UP_CUSTOMER too."""
    SIGN_ANONYMITY = "sign-anonymity"
    """Sign the finding that a model is no longer personal data."""
    SUSPEND_NODE = "suspend-node"
    READ_LOOK_UPS = "read-look-ups"
    """Who looked at whom, when and why."""
    READ_FINDINGS = "read-findings"
    """What the controller does not have in order."""
    READ_AFFECTED_RUNS = "read-affected-runs"
    """Which runs used customers before it was recorded that they had said no."""
    MANAGE_ACCOUNTS = "manage-accounts"
    """Held by no role: accounts are managed at the service's own machine."""


class Role(StrEnum):
    """What a person is to a controller."""

    OFFICER = "officer"
    """The compliance officer: sees, explains, proves and stops."""
    AUDITOR = "auditor"
    """Checks the others, the officer too; sees no customer."""
    PARTNER = "partner"
    """Staff of the partner, beside the officer."""
    SCIENTIST = "scientist"
    """The central team: proposes runs, sees no customer."""
    CHANNEL = "channel"
    """The app, the till, the call centre: where customers say yes and no."""


class RoleGrant(BaseModel):
    """A role at one controller, or at the centre."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    controller: PartyName
    role: Role


_PERMISSIONS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.OFFICER: frozenset(
            {
                Permission.READ_REGISTRY,
                Permission.CHECK_CONSENT,
                Permission.LOOK_UP_CUSTOMER,
                Permission.DECIDE_RUN,
                Permission.REVOKE_RUN,
                Permission.READ_RUNS,
                Permission.KEEP_RECORDS,
                Permission.EXPORT,
                Permission.SIGN_ANONYMITY,
                Permission.SUSPEND_NODE,
                Permission.READ_FINDINGS,
                Permission.READ_AFFECTED_RUNS,
            }
        ),
        Role.AUDITOR: frozenset(
            {
                Permission.READ_REGISTRY,
                Permission.READ_RUNS,
                Permission.EXPORT,
                Permission.READ_LOOK_UPS,
                Permission.READ_FINDINGS,
            }
        ),
        Role.PARTNER: frozenset({Permission.READ_REGISTRY, Permission.READ_RUNS}),
        Role.SCIENTIST: frozenset({Permission.READ_REGISTRY, Permission.READ_RUNS, Permission.PROPOSE_RUN}),
        Role.CHANNEL: frozenset({Permission.READ_REGISTRY, Permission.CHECK_CONSENT, Permission.RECORD_ACTS}),
    }
)


def may(role: Role, permission: Permission) -> bool:
    """Whether a role allows something."""
    return permission in _PERMISSIONS.get(role, frozenset())


def permission_table() -> str:
    """The table as Markdown, for the documentation: a row per permission, a column per role."""
    head = ["permission", *(role.value for role in Role)]
    rows = [[permission.value, *("yes" if may(role, permission) else "" for role in Role)] for permission in Permission]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"
