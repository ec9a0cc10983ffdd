"""torch_reward in Triton; what it is stands in card.yaml."""

from reward_models.runtime.classifier import SequenceScorer
from reward_models.runtime.triton import served

TritonPythonModel = served(SequenceScorer)
