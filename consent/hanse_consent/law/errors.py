"""What the law packs refuse, each with the code that its rules declare."""

from hanse_consent.errors import ConsentRefusal
from hanse_privacy.errors import HanseError


class BundledConsentError(ConsentRefusal):
    """One gesture said yes to several things (GDPR 7(2) and recital 43, PIPL 14)."""

    code = "BUNDLED_CONSENT"


class NoticeNotPublishedError(ConsentRefusal):
    """An act cites a notice that had not been published when it was said."""

    code = "NOTICE_NOT_PUBLISHED"


class NoticeLanguageUnknownError(ConsentRefusal):
    """An act does not say, or says wrongly, in which language its notice was shown."""

    code = "NOTICE_LANGUAGE_UNKNOWN"


class RecipientUnknownError(ConsentRefusal):
    """A recipient is named that is not registered."""

    code = "RECIPIENT_UNKNOWN"


class CategoryUnknownError(ConsentRefusal):
    """A kind of data is named that no purpose uses."""

    code = "CATEGORY_UNKNOWN"


class RegistryRefusedError(HanseError):
    """What was to be registered breaks a rule of a law pack; nothing was registered."""

    code = "REGISTRY_REFUSED"
    exit_code = 2


class NoticeIncompleteError(RegistryRefusedError):
    """A notice lacks a statement that the law wants in it."""

    code = "NOTICE_INCOMPLETE"


class NoticeRemovedError(RegistryRefusedError):
    """A notice that people may have been shown is no longer there."""

    code = "NOTICE_REMOVED"


class MaterialChangeUndeclaredError(RegistryRefusedError):
    """A new version of a notice changes what people agreed to and does not say so."""

    code = "MATERIAL_CHANGE_UNDECLARED"


class RetentionTooLongError(RegistryRefusedError):
    """A purpose keeps data longer than a law pack allows."""

    code = "RETENTION_TOO_LONG"


class CategoryUnclassifiedError(RegistryRefusedError):
    """A purpose uses a kind of data that no class is known for."""

    code = "CATEGORY_UNCLASSIFIED"


class LegalBasisUnknownError(RegistryRefusedError):
    """A purpose names a legal basis that the law does not know."""

    code = "LEGAL_BASIS_UNKNOWN"


class PackUnknownError(RegistryRefusedError):
    """A law pack is named that does not exist."""

    code = "PACK_UNKNOWN"


class ClockRefusedError(HanseError):
    """A clock cannot be paused, resumed or extended in this way."""

    code = "CLOCK_REFUSED"
    exit_code = 2


class RecordIncompleteError(HanseError):
    """A record lacks what the law wants in it; it is not issued."""

    code = "RECORD_INCOMPLETE"


class RecordHoldsTooMuchError(HanseError):
    """A record holds what must be gone."""

    code = "RECORD_HOLDS_TOO_MUCH"


class RecordMustBeKeptError(HanseError):
    """A record is to be deleted before its time."""

    code = "RECORD_MUST_BE_KEPT"


class ExportFormatNotPortableError(HanseError):
    """A record is to be handed out in a form that the law does not accept."""

    code = "EXPORT_FORMAT_NOT_PORTABLE"


class LawPackInvalidError(HanseError):
    """A law pack's file is missing, or is not what a pack must be: nothing may be decided without it."""

    code = "LAW_PACK_INVALID"
    exit_code = 2
