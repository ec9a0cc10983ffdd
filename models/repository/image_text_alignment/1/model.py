"""image_text_alignment in Triton; what it is stands in card.yaml."""

from reward_models.runtime.alignment import AlignmentScorer
from reward_models.runtime.triton import served

TritonPythonModel = served(AlignmentScorer)
