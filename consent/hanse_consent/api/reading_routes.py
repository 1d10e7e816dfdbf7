"""What anybody may read: whether the service runs, the purposes, the notices, the law packs' versions."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from hanse_consent.domain.names import NoticeReference
from hanse_consent.domain.notices import NoticeEntry
from hanse_consent.domain.purposes import Purpose
from hanse_consent.errors import StoreUnavailableError
from hanse_consent.law.packs import LawPacks
from hanse_consent.storage.store import ConsentStore

_NOTICES_PER_PAGE = 50


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Health(_Answer):
    """That the service runs."""

    status: Literal["ok"] = "ok"
    service: str


class Readiness(_Answer):
    """Whether the service can answer questions about customers."""

    ready: bool
    registry_version: int | None
    """None where the store cannot be read."""
    pack_versions: dict[str, str]


class PurposeList(_Answer):
    """The purposes in force."""

    registry_version: int
    purposes: tuple[Purpose, ...]


class NoticeRecord(NoticeEntry):
    """A registered notice, its text and the SHA-256 of that text as UTF-8."""

    text: str
    sha256: str


class NoticeList(_Answer):
    """Notices ever registered, by name, version and language."""

    notices: tuple[NoticeRecord, ...]
    next_after: str | None
    """Ask again with this as ``after`` for more; none if these were the last."""


def reading_routes(name: str, *, store: ConsentStore, packs: LawPacks, now: Callable[[], datetime]) -> APIRouter:
    """Build ``/v1/health``, ``/v1/ready``, ``/v1/purposes`` and ``/v1/notices``."""
    router = APIRouter(prefix="/v1", tags=["reading"])

    @router.get("/health")
    def health() -> Health:
        """Say whether the process runs."""
        return Health(service=name)

    @router.get("/ready", responses={503: {"model": Readiness}})
    def ready(response: Response) -> Readiness:
        """Say whether the store can be read and holds a registry."""
        try:
            version: int | None = store.registry().version
        except StoreUnavailableError:
            version = None
        is_ready = version is not None and version > 0
        response.status_code = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return Readiness(ready=is_ready, registry_version=version, pack_versions=packs.versions(now()))

    @router.get("/purposes")
    def purposes() -> PurposeList:
        """List the purposes in force."""
        registry = store.registry()
        return PurposeList(registry_version=registry.version, purposes=registry.purposes)

    @router.get("/notices")
    def notices(
        after: Annotated[NoticeReference | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=_NOTICES_PER_PAGE)] = _NOTICES_PER_PAGE,
    ) -> NoticeList:
        """List every notice ever registered, with its text; all languages of one version together."""
        ordered = sorted(store.registry().notices, key=lambda notice: (notice.reference, notice.language))
        references = sorted({notice.reference for notice in ordered if after is None or notice.reference > after})
        page = frozenset(references[:limit])
        return NoticeList(
            notices=tuple(
                NoticeRecord(**notice.model_dump(), sha256=notice.sha256)
                for notice in ordered
                if notice.reference in page
            ),
            next_after=max(page) if len(references) > limit else None,
        )

    return router
