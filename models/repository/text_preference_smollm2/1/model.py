"""text_preference_smollm2 in Triton; what it is stands in card.yaml."""

from reward_models.runtime.causal_preference import CausalPreferenceScorer
from reward_models.runtime.triton import served

TritonPythonModel = served(CausalPreferenceScorer)
