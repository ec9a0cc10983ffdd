"""Checks of values from requests, imported values included."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from reward_gateway.errors import InvalidRequest
from reward_gateway.sample import FloatArray


def check_numbers(value: Any, what: str) -> list[float]:
    """Check a list of finite numbers.

    Raises:
        InvalidRequest: it is not one.
    """
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)) or not all(map(_is_finite, value)):
        raise InvalidRequest(f"{what}: expected a list of finite numbers", param="value")
    return [float(entry) for entry in value]


def check_mapping(value: Any, what: str) -> dict[str, Any]:
    """Check a JSON object.

    Raises:
        InvalidRequest: it is not one.
    """
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise InvalidRequest(f"{what}: expected an object", param="value")
    return value


def check_reference_rewards(value: Any) -> dict[str, list[float]]:
    """Check reference rewards by group.

    Raises:
        InvalidRequest: not an object of lists of finite numbers.
    """
    return {
        group: check_numbers(rewards, "references") for group, rewards in check_mapping(value, "references").items()
    }


def encode_set(value: Any) -> str:
    """The JSON text of a set's value.

    Raises:
        InvalidRequest: not a JSON value with finite numbers.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError):
        raise InvalidRequest("a set must be a JSON value with finite numbers", param="value") from None


def check_vectors(value: Any, what: str) -> FloatArray:
    """[k, d] finite float64.

    Raises:
        InvalidRequest: not a list of vectors of the same size.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.empty(0)
    if array.size == 0 and array.ndim <= 2 and isinstance(value, (list, np.ndarray)) and len(value) == 0:
        return np.empty((0, 0))
    if array.ndim != 2 or array.shape[1] == 0 or not np.isfinite(array).all():
        raise InvalidRequest(
            f"{what}: expected a list of vectors of finite numbers, all of the same size", param="value"
        )
    return array


def _is_finite(value: Any) -> bool:
    if not isinstance(value, (int, float, np.floating)) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False
