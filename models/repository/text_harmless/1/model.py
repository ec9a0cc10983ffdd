"""text_harmless in Triton; what it is stands in card.yaml."""

from reward_models.runtime.preference import PreferenceScorer
from reward_models.runtime.triton import served

TritonPythonModel = served(PreferenceScorer)
