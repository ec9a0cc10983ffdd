"""tokens in Triton; what it is stands in card.yaml."""

from reward_models.runtime.steps import StepScorer
from reward_models.runtime.triton import served

TritonPythonModel = served(StepScorer)
