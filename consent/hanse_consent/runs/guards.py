"""Who may do what with runs: sessions of people, by the permissions of their roles."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from hanse_consent.access.errors import PasswordChangeRequiredError
from hanse_consent.access.people import People
from hanse_consent.access.roles import Permission, may
from hanse_consent.runs.officers import Officer
from hanse_consent.runs.routes import OfficerGuard, PartyAuthenticator, RunGuards


def run_guards(people: People, *, party: PartyAuthenticator) -> RunGuards:
    """Guards made of the accounts' roles.

    Args:
        people: Turns sessions into accounts.
        party: Proves which centre or vault signed a request.
    """
    return RunGuards(
        party=party,
        reads=_guard(people, Permission.READ_RUNS),
        decides=_guard(people, Permission.DECIDE_RUN),
        revokes=_guard(people, Permission.REVOKE_RUN),
        signs_anonymity=_guard(people, Permission.SIGN_ANONYMITY),
    )


def _guard(people: People, permission: Permission) -> OfficerGuard:
    async def officer(request: Request) -> Officer:
        account = await run_in_threadpool(people.signed_in, request)
        if account.must_change_password:
            raise PasswordChangeRequiredError(
                "The password was set by somebody else.", "Set your own first: POST /v1/accounts/me/password."
            )
        controllers = (grant.controller for grant in account.grants if may(grant.role, permission))
        return Officer(name=account.name, controllers=frozenset(controllers))

    return officer
