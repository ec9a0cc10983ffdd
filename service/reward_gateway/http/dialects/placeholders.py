"""Placeholders of OpenAI's graders: ``{{ item.x }}``, ``{{ sample.output_text }}``, ``{{ sample.output_json.y }}``."""

import json
import re
from collections.abc import Mapping
from typing import Any

from reward_gateway.errors import InvalidRequest, UnknownVariable

_PLACE = re.compile(r"\{\{\s*([^{}\s]{1,200})\s*\}\}")
_PATH = re.compile(r"(?:item|sample)(?:\.\w+|\[\d+\])*", re.ASCII)


def values(sample: str, item: Mapping[str, Any] | None) -> dict[str, Any]:
    """What placeholders may name: the row of the dataset, and what the model put out."""
    try:
        parsed = json.loads(sample)
    except (ValueError, RecursionError):
        parsed = None
    said = {"role": "assistant", "content": sample}
    choices = [{"index": 0, "message": said, "finish_reason": "stop"}]
    output = {"output_text": sample, "output_json": parsed, "output_tools": [], "choices": choices}
    return {"item": dict(item or {}), "sample": output}


def check(template: str, param: str) -> None:
    """Raise InvalidRequest for a placeholder that names neither the item nor the sample."""
    for path in _PLACE.findall(template):
        if not _PATH.fullmatch(path):
            raise InvalidRequest(f"{param}: a placeholder names item.… or sample.…", param=param)


def fill(template: str, known: Mapping[str, Any], param: str) -> str:
    """The template with its placeholders filled; what is no text stands as JSON.

    Raises:
        UnknownVariable: a placeholder names nothing that is there.
    """
    check(template, param)
    return _PLACE.sub(lambda found: _text(_value(found[1], known, param)), template)


def _value(path: str, known: Mapping[str, Any], param: str) -> Any:
    value: Any = known
    for step in re.findall(r"\w+", path):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise UnknownVariable(f"{param}: a placeholder names what neither item nor sample has", param=param)
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
