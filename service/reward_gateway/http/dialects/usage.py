"""Fields of other servers' responses besides the scores."""

import base64
import struct
from collections.abc import Sequence
from time import time
from typing import Any

from msgspec import Struct


class TokenUsage(Struct):
    """vLLM's token counts."""

    prompt_tokens: int
    total_tokens: int
    completion_tokens: int
    prompt_tokens_details: None


def no_usage() -> dict[str, Any]:
    """vLLM's token counts, all zero: the models tokenise the texts and do not report counts."""
    return {"prompt_tokens": 0, "total_tokens": 0, "completion_tokens": 0, "prompt_tokens_details": None}


def unix_time() -> int:
    """Seconds since 1970, for the field ``created``."""
    return int(time())


def base64_floats(values: Sequence[float]) -> str:
    """Encode values as little-endian float32 in base64 (``encoding_format: base64``)."""
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
