"""Keys of a sample that recipes name by their paths: its fields, ``features.NAME`` and ``metadata.NAME``."""

from collections.abc import Mapping
from typing import Any

import msgspec

from reward_gateway.sample import Batch
from reward_gateway.sample.fields import METADATA, OF_METADATA

from .fields import SAMPLE_FIELDS

FEATURE = "features."

_FIELDS = frozenset(SAMPLE_FIELDS) - {"id", "messages", "group"}
"""The fields that a sample has or has not: every one has an id and a group."""


def explain_unknown_key(key: str) -> str:
    """Why a key is none; empty if it is one."""
    name = key.removeprefix(FEATURE if key.startswith(FEATURE) else OF_METADATA)
    if key in _FIELDS or (name and name != key):
        return ""
    return f"a sample has no key {key!r}: name a field of it, features.NAME or metadata.NAME"


class SampleKeys:
    """What the samples of a batch have under the keys; metadata is decoded where it is read."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._metadata: dict[int, Mapping[str, Any]] = {}

    def read(self, row: int, key: str) -> Any:
        """The value of a sample under a key; None where it has none. An empty list or object is none, too."""
        batch = self._batch
        if key.startswith(OF_METADATA):
            value = self._read_metadata(row).get(key.removeprefix(OF_METADATA))
        elif key.startswith(FEATURE):
            value = batch.features[row].get(key.removeprefix(FEATURE)) if batch.features else None
        elif key == "prompt" and row in batch.without_prompt:
            value = None
        else:
            column = batch.column(key)
            value = None if column is None else column[row]
        return None if isinstance(value, (list, dict)) and not value else value

    def _read_metadata(self, row: int) -> Mapping[str, Any]:
        if row not in self._metadata:
            column = self._batch.column(METADATA)
            given = None if column is None else column[row]
            decoded = None if given is None else msgspec.json.decode(given)
            self._metadata[row] = decoded if isinstance(decoded, Mapping) else {}
        return self._metadata[row]


def are_equal(value: Any, wanted: Any) -> bool:
    """Whether a value is the one that a recipe names; a boolean is no number."""
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)
