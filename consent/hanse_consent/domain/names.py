"""Names that only consent knows, beside those of :mod:`hanse_privacy.protocol.vocabulary`."""

from typing import Annotated

from pydantic import StringConstraints

CategoryTerm = Annotated[str, StringConstraints(pattern=r"^(pd|hanse):[A-Z][A-Za-z0-9]{1,63}$")]
"""A kind of personal data: a term of W3C DPV-PD such as ``pd:PurchasesAndSpendingHabit``, or one of Hanse's own."""

NoticeReference = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}@[0-9]{1,4}(\.[0-9]{1,4}){0,2}$")]
"""The notice that the customer was shown: ``name@version``, in whatever language."""

RecordName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,159}$")]
"""A registered document: an agreement, a transfer, an assessment."""

PackName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,15}$")]
"""A law pack, such as ``gdpr``."""

RuleId = Annotated[str, StringConstraints(pattern=r"^[A-Z]-[0-9A-Za-z.]{1,12}$")]
"""A rule of a law pack, such as ``G-7.2`` or ``P-23``; Hanse's own rules begin with ``H``."""

ReasonCode = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{2,47}$")]
"""Why a customer may not be used, for programs: stable."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 digest, hexadecimal."""

LanguageTag = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$")]
"""BCP 47, language with at most one subtag: ``en``, ``zh-Hans``."""

AccountName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9._-]{2,39}$")]
"""A person's account: lower-case letters, digits, dots, hyphens and underscores."""

ActKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
"""A name for an act, unique at its controller: sent again under the same key, an act counts once."""
