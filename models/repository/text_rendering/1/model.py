"""text_rendering in Triton; what it is stands in card.yaml."""

from reward_models.runtime.rendering import RenderingScorer
from reward_models.runtime.triton import served

TritonPythonModel = served(RenderingScorer)
