"""What can go wrong with records, receipts and files of acts. No message repeats a customer or a cell of a file."""

from hanse_privacy.errors import HanseError


class TermUnknownError(HanseError):
    """A term is in none of the vocabularies that come with Hanse."""

    code = "TERM_UNKNOWN"
    exit_code = 2


class RecordSourceError(HanseError):
    """What a record is to be made from does not fit together: another customer, an unknown purpose or law."""

    code = "RECORD_SOURCE"
    exit_code = 2


class RecordIncompleteError(HanseError):
    """A record lacks a field that ISO/IEC TS 27560 or its guide demands."""

    code = "RECORD_INCOMPLETE"


class ReceiptUnreadableError(HanseError):
    """The bytes are no signed document at all: damaged, cut off, too long, or a name stands twice."""

    code = "RECEIPT_UNREADABLE"
    exit_code = 2


class ReceiptKindError(HanseError):
    """A signed document, but no consent receipt of a version that is known here."""

    code = "RECEIPT_KIND"
    exit_code = 2


class ReceiptKeyError(HanseError):
    """The receipt says that another key signed it."""

    code = "RECEIPT_KEY"


class ReceiptAlteredError(HanseError):
    """The signature does not fit what the receipt says."""

    code = "RECEIPT_ALTERED"


class ReceiptContentError(HanseError):
    """Truly signed, but not what a receipt must hold."""

    code = "RECEIPT_CONTENT"


class ActsFileError(HanseError):
    """A line of a file of acts cannot be read; the message says which, never what it holds.

    Args:
        what: One sentence: what is wrong, without any cell.
        mend: What the reader can do.
        line: Line of the file, from 1.
    """

    code = "ACTS_FILE"
    exit_code = 2

    def __init__(self, what: str, mend: str, *, line: int) -> None:
        super().__init__(f"Line {line}: {what}", mend)
        self.line = line
