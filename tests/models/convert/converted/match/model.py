"""match in Triton; what it is stands in card.yaml."""

from reward_models.runtime.clip import ClipScorer
from reward_models.runtime.triton import served

TritonPythonModel = served(ClipScorer)
