"""Why the consent service does not let a run be proposed, decided on or continued."""

from http import HTTPStatus

from hanse_consent.errors import ConsentRefusal


class RunUnknownError(ConsentRefusal):
    """No such run was submitted for this controller."""

    code = "RUN_UNKNOWN"
    status = HTTPStatus.NOT_FOUND


class RunStateError(ConsentRefusal):
    """The run is in a state in which this cannot happen any more, or not yet."""

    code = "RUN_STATE"
    status = HTTPStatus.CONFLICT


class RunBusyError(ConsentRefusal):
    """Somebody else changed the run at the same moment; nothing was changed by this request."""

    code = "RUN_BUSY"
    status = HTTPStatus.CONFLICT


class ProposalDiffersError(ConsentRefusal):
    """A run of this name was submitted, or approved, with other terms."""

    code = "PROPOSAL_DIFFERS"
    status = HTTPStatus.CONFLICT


class ProposalInvalidError(ConsentRefusal):
    """What was submitted is no proposal signed by the centre that sent it."""

    code = "PROPOSAL_INVALID"


class NoControllerHereError(ConsentRefusal):
    """The roster names no controller that this service keeps consent for."""

    code = "NO_CONTROLLER_HERE"


class NotTheCentreError(ConsentRefusal):
    """Whoever asks is not the centre that proposed the run."""

    code = "NOT_THE_CENTRE"
    status = HTTPStatus.FORBIDDEN


class OfficerForeignError(ConsentRefusal):
    """The officer does not act for this controller."""

    code = "OFFICER_FOREIGN"
    status = HTTPStatus.FORBIDDEN


class RunNotApprovedError(ConsentRefusal):
    """Officers have not decided yet, or not enough of them."""

    code = "RUN_NOT_APPROVED"
    status = HTTPStatus.FORBIDDEN


class RunRefusedError(ConsentRefusal):
    """The check or an officer refused the run."""

    code = "RUN_REFUSED"
    status = HTTPStatus.FORBIDDEN


class RunRevokedError(ConsentRefusal):
    """An officer revoked the approval."""

    code = "RUN_REVOKED"
    status = HTTPStatus.FORBIDDEN


class RunExpiredError(ConsentRefusal):
    """The proposal, or its approval, has expired."""

    code = "RUN_EXPIRED"
    status = HTTPStatus.FORBIDDEN


class RunFlaggedError(ConsentRefusal):
    """A vault reported a cohort that differs from its manifest."""

    code = "RUN_FLAGGED"
    status = HTTPStatus.FORBIDDEN


class RunFinishedError(ConsentRefusal):
    """The centre has recorded the run's outcome: it is over."""

    code = "RUN_FINISHED"
    status = HTTPStatus.FORBIDDEN


class AnonymityUnfoundedError(ConsentRefusal):
    """The finding does not cover the run's released result."""

    code = "ANONYMITY_UNFOUNDED"
