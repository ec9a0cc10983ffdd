"""Placeholders of OpenAI's graders: ``{{ item.x }}``, ``{{ sample.output_text }}``, ``{{ sample.output_json.y }}``."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from reward_gateway.errors import InvalidRequest, UnknownVariable
from reward_gateway.whole_numbers import parse_whole

_PLACE = re.compile(r"\{\{\s*([^{}\s]{1,200})\s*\}\}")
_PATH = re.compile(r"(?:item|sample)(?:\.\w+|\[\d+\])*", re.ASCII)


def collect_values(sample: str, item: Mapping[str, Any] | None) -> dict[str, Any]:
    """The values that placeholders may name: the row of the dataset (``item``) and the model's output (``sample``)."""
    try:
        parsed = json.loads(sample)
    except (ValueError, RecursionError):
        parsed = None
    message = {"role": "assistant", "content": sample}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    output = {"output_text": sample, "output_json": parsed, "output_tools": [], "choices": choices}
    return {"item": dict(item or {}), "sample": output}


def check_placeholders(template: str, param: str) -> None:
    """Raise InvalidRequest for a placeholder that begins with neither ``item`` nor ``sample``."""
    for path in _PLACE.findall(template):
        if not _PATH.fullmatch(path):
            raise InvalidRequest(f"{param}: a placeholder must begin with item or sample", param=param)


def fill_placeholders(
    template: str, values: Mapping[str, Any], param: str, enclose: Callable[[str], str] | None = None
) -> str:
    """The template with its placeholders filled; values that are not text are written as JSON.

    Args:
        enclose: writes the values of ``sample``, the model's output, in a section of their own; None: as they stand.

    Raises:
        UnknownVariable: a placeholder names a variable that ``values`` do not have.
    """
    check_placeholders(template, param)

    def fill(match: re.Match[str]) -> str:
        text = _to_text(_look_up(match[1], values, param))
        return enclose(text) if enclose is not None and match[1].startswith("sample") else text

    return _PLACE.sub(fill, template)


def _look_up(path: str, values: Mapping[str, Any], param: str) -> Any:
    value: Any = values
    for step in re.findall(r"\w+", path):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and (place := parse_whole(step)) is not None and place < len(value):
            value = value[place]
        else:
            raise UnknownVariable(
                f"{param}: a placeholder names a variable that neither item nor sample has", param=param
            )
    return value


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
