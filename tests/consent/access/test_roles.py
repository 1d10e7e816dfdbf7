from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hanse_consent.access.accounts import Account
from hanse_consent.access.roles import Permission, Role, RoleGrant, may, permission_table

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


# Written down a second time, by hand, from what each person's work needs.
WHO_MAY = {
    "read-registry": "officer auditor partner scientist channel",
    "check-consent": "officer channel",
    "look-up-customer": "officer",
    "record-acts": "channel",
    "propose-run": "scientist",
    "decide-run": "officer",
    "revoke-run": "officer",
    "read-runs": "officer auditor partner scientist",
    "keep-records": "officer",
    "export": "officer auditor",
    "sign-anonymity": "officer",
    "suspend-node": "officer",
    "read-look-ups": "auditor",
    "read-findings": "officer auditor",
    "read-affected-runs": "officer",
    "manage-accounts": "",
}


def test_every_permission_is_held_by_exactly_whose_work_needs_it() -> None:
    found = {p.value: " ".join(r.value for r in Role if may(r, p)) for p in Permission}
    assert found == WHO_MAY


def test_nobody_who_proposes_or_watches_may_also_decide() -> None:
    assert not any(may(role, Permission.PROPOSE_RUN) and may(role, Permission.DECIDE_RUN) for role in Role)
    assert not any(may(role, Permission.LOOK_UP_CUSTOMER) and may(role, Permission.READ_LOOK_UPS) for role in Role)


grants = st.frozensets(
    st.builds(RoleGrant, controller=st.sampled_from(["aurora", "boreal", "central"]), role=st.sampled_from(Role)),
    max_size=5,
)


@given(grants=grants, permission=st.sampled_from(Permission), controller=st.sampled_from(["aurora", "boreal"]))
def test_a_role_counts_at_its_own_controller_only(
    grants: frozenset[RoleGrant], permission: Permission, controller: str
) -> None:
    account = Account(name="ada", grants=grants, created_at=NOON, disabled=False, must_change_password=False)
    held = {g.role.value for g in grants if g.controller == controller}
    assert account.may(permission, controller=controller) == bool(held & set(WHO_MAY[permission.value].split()))


def test_a_disabled_account_may_nothing() -> None:
    everything = frozenset(RoleGrant(controller="aurora", role=role) for role in Role)
    account = Account(name="ada", grants=everything, created_at=NOON, disabled=True, must_change_password=False)
    assert not any(account.may(permission, controller="aurora") for permission in Permission)


def test_the_table_for_readers_says_the_same() -> None:
    lines = permission_table().splitlines()
    roles = [cell.strip() for cell in lines[0].strip("|").split("|")][1:]
    read = {}
    for line in lines[2:]:
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        read[name] = " ".join(role for role, cell in zip(roles, cells, strict=True) if cell == "yes")
    assert read == WHO_MAY
