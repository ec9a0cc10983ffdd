"""The limits on the items of single operations, whose fields every operation names as it likes."""

from typing import Any

from reward_gateway.intake.limits import InputLimits
from reward_gateway.sample.fields import MEDIA

_MEDIA = (*MEDIA, "image", "frame", "b64", "video", "data")


def check_items(items: list[Any], body_bytes: int, limits: InputLimits) -> None:
    """Raise TooLarge for too many items or for a text over its limit, with its path.

    Media fields hold base64 and have limits of their own.
    """
    limits.samples(len(items), "items")
    if body_bytes > limits.max_text_chars:
        for i, item in enumerate(items):
            _check(item, f"items[{i}]", limits)


def _check(value: Any, path: str, limits: InputLimits) -> None:
    if isinstance(value, str):
        limits.text(len(value), path)
    elif isinstance(value, list):
        if value and not isinstance(value[0], float | int):
            for i, item in enumerate(value):
                _check(item, f"{path}[{i}]", limits)
    elif isinstance(value, dict):
        for key, held in value.items():
            if not key.startswith(_MEDIA) and not key.endswith("_b64"):
                _check(held, f"{path}.{key}", limits)
