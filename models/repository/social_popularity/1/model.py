"""social_popularity in Triton; what it is stands in card.yaml."""

from reward_models.runtime.popularity import PopularityScorer
from reward_models.runtime.triton import served

TritonPythonModel = served(PopularityScorer)
