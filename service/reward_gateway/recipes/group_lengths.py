"""Lengths of responses, by which a group's baseline is weighted (``baseline: opo``)."""

import math
from collections.abc import Sequence

import numpy as np

from reward_gateway.operations.tokens import split_words
from reward_gateway.sample import Batch, FloatArray, Invalid, own_turns, shown_text

from .schema import GroupSpec


def weighs_lengths(spec: GroupSpec) -> bool:
    """Whether the recipe's baseline is weighted by length."""
    return spec.ways[0] == "opo"


def find_missing_lengths(spec: GroupSpec, batch: Batch) -> dict[int, Invalid]:
    """Row -> reason, of the samples whose length is read from a feature that they lack, or that is no length."""
    if spec.length is None or not weighs_lengths(spec):
        return {}
    param = f"features.{spec.length.feature}"
    found: dict[int, Invalid] = {}
    for row in range(batch.size):
        value = _read_feature(spec.length.feature, batch, row)
        if value is None:
            found[row] = Invalid("missing_field", f"this reward needs {param} in the sample", param=param)
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            message = f"{param}: the length of the response is a number of at least 0"
            found[row] = Invalid("invalid_field", message, param=param)
    return found


def read_lengths(spec: GroupSpec, batch: Batch, rows: Sequence[int]) -> FloatArray | None:
    """[n] the lengths of the valid ``rows``, NaN elsewhere: of a feature, else the words of the response. None: the
    baseline needs none."""
    if not weighs_lengths(spec):
        return None
    lengths = np.full(batch.size, np.nan)
    if spec.length is not None:
        lengths[list(rows)] = np.array([_read_feature(spec.length.feature, batch, row) for row in rows], np.float64)
        return lengths
    texts = (batch.responses[row] for row in rows)
    lengths[list(rows)] = [0 if text is None else len(split_words(shown_text(own_turns(text)))) for text in texts]
    return lengths


def _read_feature(name: str, batch: Batch, row: int) -> object:
    return batch.features[row].get(name) if batch.features else None
