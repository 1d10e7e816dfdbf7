"""The rows of one round's cohort, and of nobody else: the last door before the data."""

from collections.abc import Sequence

from hanse_client.vault.operations import CohortData
from hanse_models.purchases import BasketWeeks, Breadth, PurchaseHistory
from hanse_models.questions import CustomerAmounts
from hanse_privacy.protocol.cohort import CohortExceededError
from hanse_privacy.protocol.question_steps import Question


class CohortRows:
    """Answers an operation's questions about customers of the cohort; a question about anybody else is an error.

    So the cohort that is reported to the consent service bounds what the operation has read, whatever it computes and
    whichever customers it draws for a step.

    Args:
        data: All rows.
        cohort: Pseudonyms of those who may be read: what the data layer itself returned.
    """

    def __init__(self, data: CohortData, *, cohort: Sequence[str]) -> None:
        self._data = data
        self._cohort = frozenset(cohort)

    def history(self, cohort: Sequence[str], *, last_week: int) -> PurchaseHistory:
        """Purchases and baskets per week up to ``last_week``."""
        return self._data.history(self._within(cohort), last_week=last_week)

    def activity(self, cohort: Sequence[str], *, last_week: int) -> BasketWeeks:
        """Baskets and money per week up to ``last_week``."""
        return self._data.activity(self._within(cohort), last_week=last_week)

    def breadth(self, cohort: Sequence[str], *, last_week: int) -> Breadth:
        """Distinct stores and items per customer up to ``last_week``."""
        return self._data.breadth(self._within(cohort), last_week=last_week)

    def amounts(self, cohort: Sequence[str], question: Question) -> CustomerAmounts:
        """What each customer did in each of a question's groups, in its weeks."""
        return self._data.amounts(self._within(cohort), question)

    def _within(self, cohort: Sequence[str]) -> Sequence[str]:
        if not self._cohort.issuperset(cohort):
            raise CohortExceededError(
                "An operation asked for rows of somebody outside the round's cohort.",
                "This is a fault of the vault; nothing may leave.",
            )
        return cohort
