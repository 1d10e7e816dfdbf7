"""Refusals at the door. None tells a stranger whether an account, a session or a node exists."""

from http import HTTPStatus
from typing import ClassVar

from hanse_consent.errors import ConsentRefusal
from hanse_privacy.errors import HanseError


class AccessRefusal(ConsentRefusal):
    """A refusal whose answer may carry headers of its own."""

    challenge: ClassVar[str | None] = None
    """Value of ``WWW-Authenticate`` (RFC 9110, 11.6.1), where the answer asks for other credentials."""

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer."""
        return {} if self.challenge is None else {"www-authenticate": self.challenge}


class CredentialsInvalidError(AccessRefusal):
    """Name and password do not open a session: unknown, wrong or disabled, and never said which."""

    code = "CREDENTIALS_INVALID"
    status = HTTPStatus.UNAUTHORIZED
    challenge = "Bearer"


class SessionInvalidError(AccessRefusal):
    """There is no open session for this token: never opened, ended, expired."""

    code = "SESSION_INVALID"
    status = HTTPStatus.UNAUTHORIZED
    challenge = "Bearer"


class PermissionMissingError(AccessRefusal):
    """The account holds no role at this controller that allows this."""

    code = "PERMISSION_MISSING"
    status = HTTPStatus.FORBIDDEN


class PasswordChangeRequiredError(AccessRefusal):
    """Somebody else has set the account's password: its owner must set another one first."""

    code = "PASSWORD_CHANGE_REQUIRED"
    status = HTTPStatus.FORBIDDEN


class PasswordRefusedError(AccessRefusal):
    """A new password is too short, too long, or too easily guessed."""

    code = "PASSWORD_REFUSED"
    exit_code = 2


class ControllerNotNamedError(AccessRefusal):
    """The request does not name exactly one controller."""

    code = "CONTROLLER_NOT_NAMED"
    status = HTTPStatus.BAD_REQUEST


class RequestInvalidError(AccessRefusal):
    """A parameter of the address is missing, unknown or malformed."""

    code = "REQUEST_INVALID"
    status = HTTPStatus.BAD_REQUEST


class RateLimitedError(AccessRefusal):
    """Too many requests in too short a time (RFC 6585, 4).

    Args:
        what: One sentence: what was refused.
        mend: What the reader can do.
        retry_after_s: Whole seconds after which a request has a chance again.
    """

    code = "RATE_LIMITED"
    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, what: str, mend: str, *, retry_after_s: int) -> None:
        super().__init__(what, mend)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """``Retry-After`` (RFC 9110, 10.2.3)."""
        return {"retry-after": str(self.retry_after_s)}


class RequestBeforeStartError(AccessRefusal):
    """A signed request is dated before the service's memory of requests begins: it may be a captured one."""

    code = "REQUEST_BEFORE_START"
    status = HTTPStatus.UNAUTHORIZED
    challenge = "Hanse-Signature"


class NodeSuspendedError(AccessRefusal):
    """An officer has suspended the node that signed the request."""

    code = "NODE_SUSPENDED"
    status = HTTPStatus.FORBIDDEN


class NodeUnknownError(AccessRefusal):
    """No node of this name is registered."""

    code = "NODE_UNKNOWN"
    status = HTTPStatus.NOT_FOUND


class LookUpNotRecordedError(AccessRefusal):
    """The look-up of a person could not be recorded, so it is not answered."""

    code = "LOOK_UP_NOT_RECORDED"
    status = HTTPStatus.SERVICE_UNAVAILABLE


class AccountExistsError(HanseError):
    """An account of this name exists already, perhaps disabled: names are not used twice."""

    code = "ACCOUNT_EXISTS"
    exit_code = 2


class AccountUnknownError(HanseError):
    """There is no account of this name."""

    code = "ACCOUNT_UNKNOWN"
    exit_code = 2
