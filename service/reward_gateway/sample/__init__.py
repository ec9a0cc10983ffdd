"""The nouns: a batch of samples as columns, a score that may be invalid, and what is known of it.

A request becomes one :class:`Batch`. Columns that no sample fills stay ``None``, so that a request of plain text
carries no empty lists.
"""

from .batch import Batch, response_lengths
from .invalid import Invalid, InvalidCode
from .media import Media, media_digest
from .model_names import split_version
from .scores import BoolArray, ComponentScores, FloatArray, RawScores, Scored, Usage
from .texts import Message, Text, canonical_json, plain_text, prompt_group

__all__ = [
    "Batch",
    "BoolArray",
    "ComponentScores",
    "FloatArray",
    "Invalid",
    "InvalidCode",
    "Media",
    "Message",
    "RawScores",
    "Scored",
    "Text",
    "Usage",
    "canonical_json",
    "media_digest",
    "plain_text",
    "prompt_group",
    "response_lengths",
    "split_version",
]
