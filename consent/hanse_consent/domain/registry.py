"""Everything registered, as of one version: what a decision reads beside the customer's own facts."""

from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hanse_consent.domain.notices import Notice
from hanse_consent.domain.parties import Agreement, Assessment, Controller, Recipient, Transfer
from hanse_consent.domain.purposes import Purpose


class Registry(BaseModel):
    """Controllers, recipients, purposes, notices and what was agreed. Immutable: a change is a new version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(ge=0)
    """Counts the changes since the store was made."""
    controllers: tuple[Controller, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    purposes: tuple[Purpose, ...] = ()
    """Those in force."""
    notices: tuple[Notice, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    assessments: tuple[Assessment, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for field in ("controllers", "recipients", "purposes", "agreements", "transfers", "assessments"):
            _require_unique(field, (record.name for record in getattr(self, field)))
        _require_unique("notices", (f"{notice.reference}.{notice.language}" for notice in self.notices))
        self._require_tree()
        explained: dict[str, frozenset[str]] = {}
        for notice in self.notices:
            purposes = frozenset(notice.purposes)
            if explained.setdefault(notice.reference, purposes) != purposes:
                raise ValueError(f"notice {notice.reference} explains other purposes in another language")
        return self

    def _require_tree(self) -> None:
        parents = {purpose.name: purpose.parent for purpose in self.purposes}
        for purpose in self.purposes:
            if purpose.parent is not None and purpose.parent not in parents:
                raise ValueError(f"purpose {purpose.name} has the unknown parent {purpose.parent}")
            seen = {purpose.name}
            above = purpose.parent
            while above is not None:
                if above in seen:
                    raise ValueError(f"purpose {purpose.name} is its own ancestor")
                seen.add(above)
                above = parents.get(above)

    def controller(self, name: str) -> Controller | None:
        """One controller, or none of that name."""
        return next((controller for controller in self.controllers if controller.name == name), None)

    def recipient(self, name: str) -> Recipient | None:
        """One recipient, or none of that name."""
        return next((recipient for recipient in self.recipients if recipient.name == name), None)

    def purpose(self, name: str) -> Purpose | None:
        """One purpose in force, or none of that name."""
        return self._purposes_by_name.get(name)

    @cached_property
    def _purposes_by_name(self) -> dict[str, Purpose]:
        # Asked for every grant that is recorded.
        return {purpose.name: purpose for purpose in self.purposes}

    def notices_of(self, reference: str) -> tuple[Notice, ...]:
        """A notice in every language it exists in; none if it is unknown."""
        return tuple(notice for notice in self.notices if notice.reference == reference)

    def with_ancestors(self, purpose: str) -> tuple[str, ...]:
        """A purpose and all above it in the tree, from the purpose upwards."""
        found = [purpose]
        while (known := self.purpose(found[-1])) is not None and known.parent is not None:
            found.append(known.parent)
        return tuple(found)

    def with_descendants(self, purpose: str) -> tuple[str, ...]:
        """A purpose and all below it in the tree, sorted."""
        found = {purpose}
        while added := {p.name for p in self.purposes if p.parent in found} - found:
            found |= added
        return tuple(sorted(found))


def _require_unique(field: str, names: Iterable[str]) -> None:
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ValueError(f"{field} named twice: {', '.join(repeated)}")
