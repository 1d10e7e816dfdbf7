"""On what terms a run was proposed, for whoever looks back at it."""

from hanse_consent.runs.errors import RunUnknownError
from hanse_consent.runs.register import RunRegister
from hanse_privacy.protocol.proposal import RunProposal


class RunTerms:
    """Looks proposals up.

    Args:
        register: Where runs are kept.
    """

    def __init__(self, register: RunRegister) -> None:
        self._register = register

    def __call__(self, *, controller: str, run: str) -> RunProposal | None:
        """The proposal of a run that concerns a controller; none if it is not known here."""
        try:
            return self._register.run(run, controller=controller).proposal
        except RunUnknownError:
            return None
