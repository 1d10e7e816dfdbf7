"""Who sends a request: a node that signed it, or a person with a session. Either speaks for one controller."""

from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from hanse_consent.access.bodies import read_body
from hanse_consent.access.errors import ControllerNotNamedError
from hanse_consent.access.look_ups import ActorKind
from hanse_consent.access.nodes import NodeAuthenticator
from hanse_consent.access.people import People, require_permission
from hanse_consent.access.roles import Permission
from hanse_consent.errors import PartnerMismatchError

SIGNATURE_HEADER = "hanse-party"
"""A request that a node signed has it; a person's has none."""
CONTROLLER_PARAMETER = "controller"
"""Query parameter by which a person names the controller; a node is one."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who is proved to have sent a body, and for which controller.

    Args:
        kind: A node or a person's account.
        name: Of the node or the account.
        controller: For whom it speaks.
        body: What was sent.
    """

    kind: ActorKind
    name: str
    controller: str
    body: bytes


class Callers:
    """Admits nodes for their own controller, and people by their roles.

    Args:
        nodes: Proves signed requests.
        people: Knows sessions.
    """

    def __init__(self, *, nodes: NodeAuthenticator, people: People) -> None:
        self._nodes = nodes
        self._people = people

    async def admit(self, request: Request, *, permission: Permission, max_bytes: int) -> Caller:
        """Read a body of at most ``max_bytes`` and find out who sent it, and that they may.

        A node may do everything with its own controller's customers that these routes offer.

        Raises:
            HanseError: As the node's or the person's proof fails.
        """
        named = request.query_params.getlist(CONTROLLER_PARAMETER)
        if SIGNATURE_HEADER in request.headers:
            signed = await self._nodes.authenticate(request, max_bytes=max_bytes)
            if named not in ([], [signed.party]):
                raise PartnerMismatchError(
                    "The request names another controller than the one that signed it.",
                    "A partner can speak for its own customers only.",
                )
            return Caller(kind=ActorKind.NODE, name=signed.party, controller=signed.party, body=signed.body)
        account = await run_in_threadpool(self._people.signed_in, request)
        if len(named) != 1:
            raise ControllerNotNamedError(
                f"The request names {len(named)} controllers.", f"Name exactly one, as ?{CONTROLLER_PARAMETER}=NAME."
            )
        require_permission(account, permission, controller=named[0])
        body = await read_body(request, max_bytes=max_bytes)
        return Caller(kind=ActorKind.ACCOUNT, name=account.name, controller=named[0], body=body)
