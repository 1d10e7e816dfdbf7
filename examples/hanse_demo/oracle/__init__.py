"""The oracle: exact figures, computed by a demo's harness that owns all partners' data.

No party of a real league could compute any of this: it reads every customer, consent or not, and
adds no noise. It tells what the league's released models are worth, and to whom.
"""

from hanse_demo.oracle.churn import ChurnEvaluation, ChurnScores, PartnerChurn, evaluate_churn
from hanse_demo.oracle.composition import multiple_partners
from hanse_demo.oracle.purchases import PartnerPurchases, load_partner
from hanse_demo.oracle.recommendation import (
    PartnerRecommendation,
    RecommendationTask,
    RecommenderQuality,
    evaluate_recommender,
    league_gain,
    measure,
    recommendation_task,
    recommender_row,
)
from hanse_demo.oracle.statistics import (
    CustomerVectors,
    FoldedPopularity,
    RecommendationWindow,
    ReleaseClips,
    customer_vectors,
    league_popularity,
    own_popularity,
)

__all__ = [
    "ChurnEvaluation",
    "ChurnScores",
    "CustomerVectors",
    "FoldedPopularity",
    "PartnerChurn",
    "PartnerPurchases",
    "PartnerRecommendation",
    "RecommendationTask",
    "RecommendationWindow",
    "RecommenderQuality",
    "ReleaseClips",
    "customer_vectors",
    "evaluate_churn",
    "evaluate_recommender",
    "league_gain",
    "league_popularity",
    "load_partner",
    "measure",
    "multiple_partners",
    "own_popularity",
    "recommendation_task",
    "recommender_row",
]
