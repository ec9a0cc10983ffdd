"""language_model in Triton; what it is stands in card.yaml."""

from reward_models.runtime.language import LanguageScorer
from reward_models.runtime.triton import served

TritonPythonModel = served(LanguageScorer)
