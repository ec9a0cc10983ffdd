"""What other servers' answers carry beside their scores."""

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
    """vLLM's token counts. Texts are tokenised by the models behind, which do not tell: zeros."""
    return {"prompt_tokens": 0, "total_tokens": 0, "completion_tokens": 0, "prompt_tokens_details": None}


def now() -> int:
    """Seconds since 1970, as ``created`` wants them."""
    return int(time())


def base64_floats(values: Sequence[float]) -> str:
    """float32, little-endian, in base64: ``encoding_format: base64``."""
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
