"""From what the models compute (NaN where nothing can be said) to what the summary shows (null)."""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hanse_demo.summary import Estimate
from hanse_models.auc import AucEstimate
from hanse_models.ranking_metrics import mean_and_standard_error

StatisticsName = Literal["own data, consented", "own data, all customers", "league"]
"""What a model was learnt from, in the summary's words."""


def mean_estimate(values: NDArray[np.float64]) -> Estimate:
    """Average a metric, or a paired difference of two, over the customers where it is not NaN."""
    found = mean_and_standard_error(values)
    return Estimate(
        value=_or_null(found.mean), standard_error=_or_null(found.standard_error), customers=found.customers
    )


def auc_estimate(found: AucEstimate, *, customers: int) -> Estimate:
    """Show an AUC, or a paired difference of two, over so many customers."""
    return Estimate(value=_or_null(found.value), standard_error=_or_null(found.standard_error), customers=customers)


def nobody() -> Estimate:
    """What is shown where there is no model to evaluate."""
    return Estimate(value=None, standard_error=None, customers=0)


def _or_null(value: float) -> float | None:
    return None if math.isnan(value) else value
