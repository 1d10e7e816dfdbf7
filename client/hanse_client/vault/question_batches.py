"""Customers' exact vectors for a question: what each adds to the answer's cells, and to the counts beside it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hanse_models.matrices import csr_array
from hanse_models.questions import CustomerAmounts, count_vectors, histogram_vectors, tree_vectors
from hanse_privacy.clipping import is_longer
from hanse_privacy.protocol.question_steps import CountQuestion, HistogramQuestion, QuantileQuestion, Question

_CUSTOMERS = 256
_ENTRIES = 2_000_000
"""A batch has at most so many customers and so many numbers: no long answer is written out for the whole cohort."""


class Amounts(Protocol):
    """What a question may read: the rows of one cohort, customers numbered as in the cohort."""

    def amounts(self, cohort: Sequence[str], question: Question) -> CustomerAmounts:
        """What each customer did in each of the question's groups, in its weeks."""


def question_batches(
    question: Question, *, data: Amounts, cohort: Sequence[str], vaults: int
) -> Iterator[Mapping[str, NDArray[np.float64]]]:
    """Yield each customer's exact vectors, block by block.

    Args:
        question: What is asked.
        data: The cohort's rows.
        cohort: Pseudonyms.
        vaults: So many vaults' vectors of one unit may meet in the sum: each vault clips to its part.
    """
    amounts = data.amounts(cohort, question)
    match question:
        case CountQuestion():
            yield from _with_counts(question, amounts, clip=question.answer.clip / vaults)
        case HistogramQuestion():
            vectors = histogram_vectors(amounts, edges=question.edges)
            yield from ({"answer": answer} for _, answer in _in_batches(vectors))
        case QuantileQuestion():
            vectors = tree_vectors(amounts, edges=question.edges, tree=question.tree)
            yield from ({"answer": answer} for _, answer in _in_batches(vectors))


def _with_counts(
    question: CountQuestion, amounts: CustomerAmounts, *, clip: float
) -> Iterator[Mapping[str, NDArray[np.float64]]]:
    bought = amounts.bought
    for rows, answer in _in_batches(count_vectors(amounts)):
        batch = {"answer": answer}
        if question.customers is not None:
            batch["customers"] = bought[rows, None]
        if question.over is not None:
            batch["over"] = is_longer(answer, clip)[:, None].astype(np.float64)
        yield batch


def _in_batches(vectors: csr_array) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    customers, cells = vectors.shape
    size = max(1, min(_CUSTOMERS, _ENTRIES // cells))
    for start in range(0, customers, size):
        rows = slice(start, min(start + size, customers))
        yield rows, vectors[rows].toarray()
