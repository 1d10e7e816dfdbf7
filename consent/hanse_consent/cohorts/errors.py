"""Why no cohort manifest is issued, no report accepted, or nothing can be proved."""

from http import HTTPStatus

from hanse_consent.errors import ConsentRefusal


class ProposalMismatchError(ConsentRefusal):
    """The vault admitted the run on other terms than those that were approved."""

    code = "PROPOSAL_MISMATCH"
    status = HTTPStatus.CONFLICT


class StepMismatchError(ConsentRefusal):
    """The approved proposal has no such round, or another purpose or tier for it."""

    code = "STEP_MISMATCH"
    status = HTTPStatus.CONFLICT


class CohortTooLargeError(ConsentRefusal):
    """More customers are eligible than one manifest may hold."""

    code = "COHORT_TOO_LARGE"


class ManifestsExhaustedError(ConsentRefusal):
    """One round asked for far more manifests than a round needs."""

    code = "MANIFESTS_EXHAUSTED"
    status = HTTPStatus.TOO_MANY_REQUESTS


class ManifestChainBrokenError(ConsentRefusal):
    """The vault knows a manifest that this store does not: one of the two is an older copy."""

    code = "MANIFEST_CHAIN_BROKEN"
    status = HTTPStatus.CONFLICT


class CohortMismatchError(ConsentRefusal):
    """What a vault loaded is not what its manifest named; the run is flagged."""

    code = "COHORT_MISMATCH"
    status = HTTPStatus.CONFLICT


class ReportLateError(ConsentRefusal):
    """What a vault loaded is what its manifest named, but the manifest had expired when the report came."""

    code = "REPORT_LATE"
    status = HTTPStatus.CONFLICT


class ManifestUnknownError(ConsentRefusal):
    """No manifest was issued for this run and round."""

    code = "MANIFEST_UNKNOWN"
    status = HTTPStatus.NOT_FOUND


class CustomerWithoutKeyError(ConsentRefusal):
    """The customer is not known, or was erased: without the key nobody can say which leaf would be theirs."""

    code = "CUSTOMER_WITHOUT_KEY"
    status = HTTPStatus.NOT_FOUND


class LeavesIncompleteError(ConsentRefusal):
    """Leaves of a manifest are gone with the customers who were erased, so that no proof reaches its root."""

    code = "LEAVES_INCOMPLETE"
    status = HTTPStatus.GONE
