"""Who sends a request from a person's session, and whether that person may: dependencies for FastAPI routes."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from hanse_consent.access.accounts import Account
from hanse_consent.access.errors import (
    ControllerNotNamedError,
    PasswordChangeRequiredError,
    PermissionMissingError,
    SessionInvalidError,
)
from hanse_consent.access.rate_limits import AccessLimits, RateLimiter, client_address
from hanse_consent.access.roles import Permission
from hanse_consent.access.sessions import Sessions, session_invalid

_SCHEME = "bearer"
_MAX_TOKEN_CHARACTERS = 128


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """A person who may do what was asked, at the controller that the request names."""

    account: Account
    controller: str


class People:
    """Turns ``Authorization: Bearer`` into accounts.

    Args:
        sessions: Where tokens are looked up.
        limits: How often each may come.
        clock: Monotonic seconds.
    """

    def __init__(self, sessions: Sessions, *, limits: AccessLimits, clock: Callable[[], float]) -> None:
        self._sessions = sessions
        self._by_account = RateLimiter(limits.account, max_keys=limits.max_keys, clock=clock)
        self._strangers = RateLimiter(limits.stranger, max_keys=limits.max_keys, clock=clock)

    def signed_in(self, request: Request) -> Account:
        """Dependency: the account of the request's session, whatever it may do.

        Raises:
            SessionInvalidError: If there is no open session.
            RateLimitedError: If the account, or an address without a session, comes too often.
        """
        try:
            account = self._sessions.find(bearer_token(request))
        except SessionInvalidError:
            self._strangers.take(client_address(request))
            raise
        self._by_account.take(account.name)
        return account

    def require(self, permission: Permission, *, controller_in: str = "controller") -> Callable[[Request], Visitor]:
        """Make a dependency: a person who may do this at the controller that the address names.

        Args:
            permission: What the route does.
            controller_in: The parameter, of path or query, that names the controller.

        Returns:
            A dependency that raises SessionInvalidError, PasswordChangeRequiredError, ControllerNotNamedError,
            PermissionMissingError or RateLimitedError.
        """

        def visitor(request: Request) -> Visitor:
            account = self.signed_in(request)
            controller = _named_controller(request, parameter=controller_in)
            require_permission(account, permission, controller=controller)
            return Visitor(account=account, controller=controller)

        return visitor


def require_permission(account: Account, permission: Permission, *, controller: str) -> None:
    """Let an account pass that may do this; for routes whose body names the controller.

    Raises:
        PasswordChangeRequiredError: If somebody else knows its password.
        PermissionMissingError: If none of its roles at this controller allows it.
    """
    if account.must_change_password:
        raise PasswordChangeRequiredError(
            "The password was set by somebody else.", "Set your own first: POST /v1/accounts/me/password."
        )
    if not account.may(permission, controller=controller):
        raise PermissionMissingError(
            f"This account may not {permission.value} at this controller.",
            "Ask the service's administrator for a role that may.",
        )


def bearer_token(request: Request) -> str:
    """The token of the request (RFC 6750, 2.1).

    Raises:
        SessionInvalidError: If there is none.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != _SCHEME or not 1 <= len(token) <= _MAX_TOKEN_CHARACTERS:
        raise session_invalid()
    return token


def _named_controller(request: Request, *, parameter: str) -> str:
    if parameter in request.path_params:
        return str(request.path_params[parameter])
    named = request.query_params.getlist(parameter)
    # Named twice, one reader could take the first and another the last.
    if len(named) != 1:
        raise ControllerNotNamedError(
            f"The request names {len(named)} controllers.", f"Name exactly one, as {parameter}."
        )
    return named[0]
