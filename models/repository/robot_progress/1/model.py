"""robot_progress in Triton; what it is stands in card.yaml."""

from reward_models.runtime.progress import ProgressScorer
from reward_models.runtime.triton import served

TritonPythonModel = served(ProgressScorer)
