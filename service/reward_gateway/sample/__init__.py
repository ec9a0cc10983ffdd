"""The basic types: a batch of samples as columns, scores, and reasons for missing scores.

A request becomes one :class:`Batch`. Columns without a value in any sample are ``None``, so that a request of plain
text has no empty lists.
"""

from .batch import Batch, response_lengths
from .invalid import Invalid, InvalidCode
from .media import Media, media_digest
from .model_names import split_version
from .scores import BoolArray, ComponentScores, FloatArray, GroupStats, IntArray, RawScores, Scored, Usage, all_finite
from .texts import (
    POLICY_ROLES,
    Message,
    Text,
    canonical_json,
    json_text,
    label_turns,
    own_turns,
    plain_text,
    prompt_group,
    shown_text,
    turn_text,
    turns_text,
)

__all__ = [
    "POLICY_ROLES",
    "Batch",
    "BoolArray",
    "ComponentScores",
    "FloatArray",
    "GroupStats",
    "IntArray",
    "Invalid",
    "InvalidCode",
    "Media",
    "Message",
    "RawScores",
    "Scored",
    "Text",
    "Usage",
    "all_finite",
    "canonical_json",
    "json_text",
    "label_turns",
    "media_digest",
    "own_turns",
    "plain_text",
    "prompt_group",
    "response_lengths",
    "shown_text",
    "split_version",
    "turn_text",
    "turns_text",
]
