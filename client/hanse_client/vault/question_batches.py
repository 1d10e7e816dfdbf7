"""Customers' exact vectors for a question: what each adds to the answer's cells, and to the counts beside it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hanse_models.matrices import csr_array
from hanse_models.questions import CustomerAmounts, count_vectors, histogram_vectors, tree_vectors
from hanse_privacy.protocol.question_steps import CountQuestion, HistogramQuestion, QuantileQuestion, Question

_CUSTOMERS = 256
_ENTRIES = 2_000_000
"""A batch has at most so many customers and so many numbers: memory stays bounded however long an answer is."""


class Amounts(Protocol):
    """What a question may read: the rows of one cohort, customers numbered as in the cohort."""

    def amounts(self, cohort: Sequence[str], question: Question) -> CustomerAmounts:
        """What each customer did in each of the question's groups, in its weeks."""


def question_batches(
    question: Question, *, data: Amounts, cohort: Sequence[str]
) -> Iterator[Mapping[str, NDArray[np.float64]]]:
    """Yield each customer's exact vectors, block by block."""
    amounts = data.amounts(cohort, question)
    beside: dict[str, NDArray[np.float64]] = {}
    match question:
        case CountQuestion():
            vectors = count_vectors(amounts)
            if question.customers is not None:
                beside["customers"] = amounts.bought
            if question.over is not None:
                beside["over"] = amounts.over(question.answer.clip)
        case HistogramQuestion():
            vectors = histogram_vectors(amounts, edges=question.edges)
        case QuantileQuestion():
            vectors = tree_vectors(amounts, edges=question.edges, tree=question.tree)
    yield from _in_batches(vectors, beside)


def _in_batches(
    vectors: csr_array, beside: Mapping[str, NDArray[np.float64]]
) -> Iterator[Mapping[str, NDArray[np.float64]]]:
    customers, cells = vectors.shape
    size = max(1, min(_CUSTOMERS, _ENTRIES // cells))
    for start in range(0, customers, size):
        rows = slice(start, min(start + size, customers))
        yield {
            "answer": vectors[rows].toarray(),
            **{name: ones[rows, None] for name, ones in beside.items()},
        }
