"""What people send and see of their sessions over HTTP. Imports no database and no web framework."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hanse_consent.access.roles import RoleGrant
from hanse_consent.domain.moments import Moment
from hanse_consent.domain.names import AccountName

# Longer than any password that is accepted, so that the policy gives the answer.
_MAX_SECRET_CHARACTERS = 1000
_Secret = Annotated[SecretStr, Field(min_length=1, max_length=_MAX_SECRET_CHARACTERS)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Credentials(_Body):
    """What opens a session."""

    name: AccountName
    password: _Secret


class PasswordChange(_Body):
    """One's own password, old and new."""

    old: _Secret
    new: _Secret


class SessionToken(_Body):
    """An open session. The token is shown this once: send it as ``Authorization: Bearer``."""

    token: str = Field(pattern=r"^[A-Za-z0-9_-]{1,128}$", repr=False)
    ends_at: Moment
    """At the latest; earlier without requests."""


class AccountView(_Body):
    """Whose session it is."""

    name: str
    grants: tuple[RoleGrant, ...]
    must_change_password: bool
