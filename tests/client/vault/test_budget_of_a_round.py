"""What a round says of the budget: before anything is paid, and after it, before rows are read."""

from collections.abc import Callable

import pytest
from toy_vault import Node, terms_of

from hanse_consent.errors import ConsentRefusedError, ConsentUnavailableError
from hanse_privacy.protocol.ledger_report import BudgetOutcome
from hanse_privacy.protocol.letters import Outcome
from hanse_privacy.protocol.proposal import RunProposal


def test_the_budget_is_reported_before_it_is_spent_and_before_rows_are_read(node: Node, terms: RunProposal) -> None:
    (first,) = node.consent.budgets
    assert (first.ledger.position, first.runs) == (0, ())
    seen = []
    node.consent.on_budget = lambda: seen.append(
        (len(node.ledger.entries()), len(node.data.read), len(node.consent.reports))
    )
    for number in (1, 2):
        assert node.ask(terms, number).outcome is Outcome.DONE
    # The run was entered since; then each payment, once.
    assert seen == [(0, 0, 0), (1, 0, 0), (2, 1, 1)]
    newest = node.consent.budgets[-1]
    assert (newest.ledger.position, newest.ledger.head) == (2, node.ledger.end().head)
    assert [one.before.position for one in node.consent.budgets] == [0, 0, 0, 1]
    assert [(run.run, run.state, run.attempts) for run in newest.runs] == [(terms.run, "admitted", 2)]
    assert newest.caps[0].epsilon_spent == newest.runs[0].epsilon_spent > 0


def test_a_budget_that_has_not_changed_is_not_reported_again(node: Node, terms: RunProposal) -> None:
    assert node.ask(terms, 1).outcome is Outcome.DONE
    said = len(node.consent.budgets)
    # A repetition, and letters about a run that is known.
    assert node.ask(terms, 1).outcome is Outcome.DONE
    assert node.ask(terms, 0).outcome is Outcome.DONE
    assert len(node.consent.budgets) == said


def unreachable() -> BudgetOutcome:
    raise ConsentUnavailableError("No answer.", "Start it.")


def suspended() -> BudgetOutcome:
    raise ConsentRefusedError("No.", "Ask.", status=403, refusal_code="NODE_SUSPENDED", refusal_detail="Secret")


@pytest.mark.parametrize(
    ("answer_with", "reason"),
    [
        (unreachable, "CONSENT_UNAVAILABLE"),
        (suspended, "CONSENT_REFUSED"),
        (lambda: BudgetOutcome.SHOW_LAST, "CONSENT_ANSWER_INVALID"),
        (lambda: BudgetOutcome.OLDER_LEDGER, "LEDGER_UNUSABLE"),
    ],
    ids=["unreachable", "suspended", "never enough", "older"],
)
@pytest.mark.parametrize("paid", [False, True], ids=["before the payment", "after it"])
def test_a_budget_that_the_consent_service_does_not_take_buys_nothing(
    node: Node, terms: RunProposal, answer_with: Callable[[], BudgetOutcome], reason: str, paid: bool
) -> None:
    node.consent.on_budget = lambda: answer_with() if len(node.ledger.entries()) == paid else None
    answer = node.ask(terms, 1)
    assert (answer.outcome, answer.reason, answer.result) == (Outcome.REFUSED, reason, b"")
    assert "Secret" not in answer.explanation
    assert len(node.ledger.entries()) == paid
    assert (node.data.read, node.register.rounds(terms.run)) == ([], ())
    # However often it is asked: nothing more is paid, and nothing else is admitted.
    for attempt in (2, 3):
        assert node.ask(terms, 1, attempt=attempt).reason in (reason, "ROUND_OUT_OF_ORDER")
    assert node.ask(terms_of("churn-2"), 0).reason == reason
    assert len(node.ledger.entries()) == paid
    node.consent.on_budget = lambda: None
    again = node.ask(terms, 1, attempt=1 + paid)
    if reason == "LEDGER_UNUSABLE":
        # Until it is started again, whatever the service says meanwhile.
        assert again.reason == reason
    else:
        assert again.outcome is Outcome.DONE
