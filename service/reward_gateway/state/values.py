"""Checks of values that come back in: an import is a request like any other."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from reward_gateway.errors import InvalidRequest
from reward_gateway.sample import FloatArray


def numbers(value: Any, what: str) -> list[float]:
    """A list of finite numbers.

    Raises:
        InvalidRequest: it is none.
    """
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)) or not all(map(_finite, value)):
        raise InvalidRequest(f"{what}: a list of finite numbers is needed", param="value")
    return [float(entry) for entry in value]


def mapping(value: Any, what: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        InvalidRequest: it is none.
    """
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise InvalidRequest(f"{what}: an object is needed", param="value")
    return value


def reference_rewards(value: Any) -> dict[str, list[float]]:
    """Reference rewards by group.

    Raises:
        InvalidRequest: it is no object of lists of finite numbers.
    """
    return {group: numbers(rewards, "references") for group, rewards in mapping(value, "references").items()}


def set_text(value: Any) -> str:
    """The JSON text of a set's value.

    Raises:
        InvalidRequest: it is no JSON value with finite numbers.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError):
        raise InvalidRequest("a set has to be a JSON value with finite numbers", param="value") from None


def vectors(value: Any, what: str) -> FloatArray:
    """[k, d] finite float64.

    Raises:
        InvalidRequest: the value is no list of vectors of one size.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.size == 0 and array.ndim <= 2 and isinstance(value, (list, np.ndarray)) and len(value) == 0:
        return np.empty((0, 0))
    if array.ndim != 2 or array.shape[1] == 0 or not np.isfinite(array).all():
        raise InvalidRequest(f"{what}: a list of vectors of finite numbers, all of one size, is needed", param="value")
    return array


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float, np.floating)) and not isinstance(value, bool) and math.isfinite(value)
