"""The consent service over HTTP: purposes, notices, acts, cohort manifests.

Every POST is signed by the partner it speaks for (see :mod:`hanse_privacy.protocol.signed_request`).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Literal, TypeVar

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hanse_consent.acts import ActBatch, ActReceipt
from hanse_consent.authentication import Authenticator
from hanse_consent.catalogue import NoticeEntry, Purpose
from hanse_consent.configuration import ConsentConfiguration
from hanse_consent.errors import BodyInvalidError, PartnerMismatchError
from hanse_consent.manifests import ManifestIssuer
from hanse_consent.problems import Doorkeeper, Problem, answer_with_problems
from hanse_consent.store import ConsentStore
from hanse_privacy.identity import SigningKey
from hanse_privacy.protocol.manifest import CohortManifest, CohortRequest

MAX_BATCH_BYTES = 8 * 1024 * 1024
"""Longest body of acts; ten thousand take about three million bytes."""
MAX_QUESTION_BYTES = 16 * 1024
"""Longest body of a cohort request."""

_FAULTS_SHOWN = 3
_Model = TypeVar("_Model", bound=BaseModel)


class Health(BaseModel):
    """That the service runs and can read its store."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ok"] = "ok"
    service: str


class PurposeList(BaseModel):
    """The purposes in force."""

    model_config = ConfigDict(frozen=True)

    purposes: tuple[Purpose, ...]


class NoticeRecord(NoticeEntry):
    """A registered notice, its text and the SHA-256 of that text as UTF-8."""

    text: str
    sha256: str


class NoticeList(BaseModel):
    """Every notice ever registered."""

    model_config = ConfigDict(frozen=True)

    notices: tuple[NoticeRecord, ...]


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


def create_service(
    *,
    configuration: ConsentConfiguration,
    store: ConsentStore,
    key: SigningKey,
    now: Callable[[], datetime] = utc_now,
) -> FastAPI:
    """Assemble the HTTP service over an open store whose catalogue is registered.

    Args:
        configuration: Whom it serves.
        store: The consent store.
        key: The service's private key.
        now: The service's clock.
    """
    authenticator = Authenticator(keys=configuration.keys_by_partner, store=store, now=now)
    issuer = ManifestIssuer(store=store, key=key, lifetime_s=configuration.manifest_lifetime_s, now=now)
    service = FastAPI(
        title="Hanse consent service",
        version="1",
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}},
    )
    for router in (_reading_routes(configuration.name, store), _signed_routes(authenticator, store, issuer)):
        service.include_router(router)
    answer_with_problems(service)
    service.add_middleware(Doorkeeper, paths=frozenset(service.openapi()["paths"]))
    return service


def _reading_routes(name: str, store: ConsentStore) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.get("/health")
    def health() -> Health:
        """Say whether the service runs and can read its store."""
        store.position()
        return Health(service=name)

    @router.get("/purposes")
    def purposes() -> PurposeList:
        """List the purposes in force."""
        return PurposeList(purposes=store.purposes())

    @router.get("/notices")
    def notices() -> NoticeList:
        """List every notice ever registered, with its text."""
        return NoticeList(notices=tuple(NoticeRecord(**n.model_dump(), sha256=n.sha256) for n in store.notices()))

    return router


def _signed_routes(authenticator: Authenticator, store: ConsentStore, issuer: ManifestIssuer) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.post("/acts", openapi_extra=_body_schema(ActBatch))
    async def acts(request: Request) -> ActReceipt:
        """Record the signing partner's acts, all or none; durable once answered."""
        signed = await authenticator.authenticate(request, max_bytes=MAX_BATCH_BYTES)

        def record() -> int:
            return store.record(partner=signed.partner, acts=_parsed(ActBatch, signed.body).acts)

        return ActReceipt(position=await run_in_threadpool(record))

    @router.post(
        "/cohort-manifests", openapi_extra=_body_schema(CohortRequest), responses={200: {"model": CohortManifest}}
    )
    async def cohort_manifests(request: Request) -> Response:
        """Say who of the signing partner's customers may be used for this step, now: a signed manifest."""
        signed = await authenticator.authenticate(request, max_bytes=MAX_QUESTION_BYTES)
        question = _parsed(CohortRequest, signed.body)
        if question.partner != signed.partner:
            raise PartnerMismatchError(
                "The request names another partner than the one that signed it.",
                "A partner can ask for its own customers only.",
            )
        manifest = await run_in_threadpool(issuer.issue, question)
        return Response(manifest, status_code=HTTPStatus.OK, media_type="application/json")

    return router


def _parsed(model: type[_Model], body: bytes) -> _Model:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        shown = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the body'}: {fault['msg']}" for fault in faults[:_FAULTS_SHOWN]
        )
        raise BodyInvalidError(
            f"The body is not valid in {len(faults)} places: {shown}.", "Mend the named fields and send it again."
        ) from error


def _body_schema(model: type[BaseModel]) -> dict[str, object]:
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
