"""What is kept of a sample: its texts and what was computed of them, never more.

No metadata, no features, no key, no header, and of an image its size and SHA-256 alone.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from reward_gateway.sample import Batch, Media, Scored, prompt_group
from reward_gateway.scoring.request_scope import RequestScope

_MESSAGE_KEYS = ("role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content")
_PART_KEYS = ("type", "text")


class Index(msgspec.Struct, array_like=True):
    """A kept sample without its texts: what lists filter and sort by, and what pairs are found by.

    Attributes:
        t: seconds since 1970 when it was scored.
        prompt: names its prompt, without telling it.
        reward: before the comparison within the group; None: it has none.
    """

    t: float
    caller: str
    run: str
    recipe: str
    version: str
    prompt: str
    reward: float | None
    spread: float | None
    disagreement: float | None
    flags: tuple[str, ...]


encode_index = msgspec.msgpack.Encoder().encode
decode_index = msgspec.msgpack.Decoder(Index).decode


def make_index(
    batch: Batch, scored: Scored, row: int, scope: RequestScope, t: float, spread: float, disagreement: float
) -> Index:
    """The index of a scored sample. NaN: it is not known."""
    raw = scored.reward if scored.reward_raw is None else scored.reward_raw
    return Index(
        t,
        scope.caller,
        scope.run,
        scored.recipe,
        scored.version,
        prompt_group(batch.prompts[row]),
        None if row in scored.invalid else _number(raw[row]),
        _number(spread),
        _number(disagreement),
        scored.flags.get(row, ()),
    )


def encode_sample(batch: Batch, scored: Scored, row: int, scope: RequestScope, index: Index) -> bytes:
    """The sample as JSON, as ``GET /v1/samples`` answers it but for its id, its kinds and its mark."""
    invalid = scored.invalid.get(row)
    sample: dict[str, Any] = {
        "t": index.t,
        "caller": index.caller,
        "run": index.run,
        "step": scope.step,
        "recipe": index.recipe,
        "recipe_version": index.version,
        "prompt": _plain(batch.prompts[row]),
        "response": _plain(batch.responses[row]),
        "reference": _value(batch, "reference", row),
        "rubric": _value(batch, "rubric", row),
        "images": _describe_media(_value(batch, "images", row)),
        "frames": _describe_media(_value(batch, "frames", row)),
        "reward": None if invalid is not None else _number(scored.reward[row]),
        "reward_raw": None if invalid is not None or scored.reward_raw is None else _number(scored.reward_raw[row]),
        "components": {name: _describe_component(part, row) for name, part in scored.components.items()},
        "flags": list(index.flags),
        "invalid": None if invalid is None else {"code": invalid.code, "component": invalid.component},
        "spread": index.spread,
        "disagreement": index.disagreement,
    }
    try:
        return msgspec.json.encode(sample)
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 may not contain
        return json.dumps(sample, ensure_ascii=False, allow_nan=False, default=dict).encode("utf-8", "replace")


def _plain(text: Any) -> Any:
    """A text, or messages with nothing but what they say."""
    if text is None or isinstance(text, str):
        return text
    return [_plain_message(message) for message in text]


def _plain_message(message: Mapping[str, Any]) -> dict[str, Any]:
    plain = {key: message[key] for key in _MESSAGE_KEYS if key in message}
    if isinstance(content := plain.get("content"), list):
        plain["content"] = [{key: part[key] for key in _PART_KEYS if key in part} for part in content]
    return plain


def _value(batch: Batch, name: str, row: int) -> Any:
    column = batch.column(name)
    return None if column is None else column[row]


def _describe_media(media: Sequence[Media] | None) -> list[dict[str, Any]]:
    """Size and SHA-256 of each image; null where its bytes are not here."""
    return [
        {
            "size": None if found.data is None else len(found.data),
            "sha256": None if found.data is None else hashlib.sha256(found.data).hexdigest(),
        }
        for found in media or ()
    ]


def _describe_component(part: Any, row: int) -> dict[str, Any]:
    model, version = part.origin_of(row)
    return {
        "raw": _number(part.raw[row]),
        "value": _number(part.value[row]),
        "model": model,
        "model_version": version,
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
