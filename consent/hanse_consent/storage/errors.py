"""What can go wrong in the store, beside what :mod:`hanse_consent.errors` names."""

from http import HTTPStatus

from hanse_consent.errors import ConsentRefusal
from hanse_privacy.errors import HanseError


class SchemaVersionError(HanseError):
    """The store's tables are of another version than this program."""

    code = "SCHEMA_VERSION"


class RoleTooPowerfulError(HanseError):
    """The service's PostgreSQL role is above row-level security, which keeps controllers apart."""

    code = "ROLE_TOO_POWERFUL"
    exit_code = 2


class CustomerErasedError(ConsentRefusal):
    """An act was said before its customer was erased; it cannot revive them."""

    code = "CUSTOMER_ERASED"
    status = HTTPStatus.GONE


class ControllerUnknownError(ConsentRefusal):
    """The controller is not registered."""

    code = "CONTROLLER_UNKNOWN"


class PositionUnknownError(ConsentRefusal):
    """No act of the controller stands at this position, or not yet."""

    code = "POSITION_UNKNOWN"


class RegistryVersionUnknownError(ConsentRefusal):
    """The registry never had this version."""

    code = "REGISTRY_VERSION_UNKNOWN"
