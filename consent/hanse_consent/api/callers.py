"""Who sends a request: a node that signed it, or a person with a session. Either speaks for one controller."""

from collections.abc import Callable, Sequence
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


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A request whose sender is known. Who that is, and what was sent, is given out when it is admitted.

    Args:
        controller: For whom the sender speaks: in whose lane the work is to be done.
        enter: Does what is left to be done, which waits for the database.
    """

    controller: str
    enter: Callable[[], Caller]

    def admit(self) -> Caller:
        """Let it in, once. To be called first by the work that answers the request.

        Raises:
            HanseError: As the node's proof fails: suspended, or received before.
        """
        return self.enter()


class Callers:
    """Admits nodes for their own controller, and people by their roles.

    Args:
        nodes: Proves signed requests.
        people: Knows sessions.
    """

    def __init__(self, *, nodes: NodeAuthenticator, people: People) -> None:
        self._nodes = nodes
        self._people = people

    async def receive(self, request: Request, *, permission: Permission, max_bytes: int) -> Arrival:
        """Read a body of at most ``max_bytes`` and find out who sent it, and that they may.

        A node may do everything with its own controller's customers that these routes offer.

        Raises:
            HanseError: As the node's or the person's proof fails.
        """
        named = request.query_params.getlist(CONTROLLER_PARAMETER)
        if SIGNATURE_HEADER in request.headers:
            return await self._receive_from_node(request, named, max_bytes=max_bytes)
        account = await run_in_threadpool(self._people.signed_in, request)
        if len(named) != 1:
            raise ControllerNotNamedError(
                f"The request names {len(named)} controllers.", f"Name exactly one, as ?{CONTROLLER_PARAMETER}=NAME."
            )
        require_permission(account, permission, controller=named[0])
        body = await read_body(request, max_bytes=max_bytes)
        caller = Caller(kind=ActorKind.ACCOUNT, name=account.name, controller=named[0], body=body)
        return Arrival(controller=named[0], enter=lambda: caller)

    async def _receive_from_node(self, request: Request, named: Sequence[str], *, max_bytes: int) -> Arrival:
        proved = await self._nodes.prove(request, max_bytes=max_bytes)

        def enter() -> Caller:
            signed = proved.admit()
            if list(named) not in ([], [signed.party]):
                raise PartnerMismatchError(
                    "The request names another controller than the one that signed it.",
                    "A partner can speak for its own customers only.",
                )
            return Caller(kind=ActorKind.NODE, name=signed.party, controller=signed.party, body=signed.body)

        return Arrival(controller=proved.party, enter=enter)
