"""Is the response JSON of the shape that was asked for?"""

import json
from collections.abc import Iterator
from typing import Any, Self

import jsonschema
import regex
from jsonschema.validators import extend
from pydantic import Field, model_validator
from referencing import Registry
from referencing.exceptions import Unresolvable

from ..columns import Columns
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, operation
from .structure import fences

_PATTERN_TIMEOUT_S = 0.05


class Params(OperationParams):
    json_schema: dict[str, Any] = Field(description="JSON Schema, draft 2020-12. References within it only.")
    fenced: bool = Field(True, description="Also read JSON from the last fenced block, or from <answer> tags.")
    graded: bool = Field(False, description="Half a point for JSON that does not fit the schema.")

    @model_validator(mode="after")
    def _is_a_schema(self) -> Self:
        try:
            jsonschema.Draft202012Validator.check_schema(self.json_schema)
        except (jsonschema.SchemaError, RecursionError) as error:
            raise ValueError(f"json_schema is no JSON Schema: {getattr(error, 'message', 'nested too deep')}") from None
        if "patternProperties" in json.dumps(self.json_schema):
            raise ValueError("json_schema: patternProperties is not supported; name the properties")
        return self


class Item(OperationItem):
    response: str = Field(description="Response that is JSON, or holds it in a fenced block or in <answer>.")


@operation(
    "score",
    "json_schema",
    item=Item,
    params=Params,
)
def json_schema(columns: Columns, params: Params) -> Outcome:
    """1 if the response is JSON that fits the schema, else 0 (with ``graded``: .5 for JSON that does not fit).

    Schemas are of draft 2020-12. The JSON is the whole response, else the last fenced block, else what stands in
    <answer>. NaN and Infinity are no JSON. References to other documents are never fetched. Details: `fault`,
    the place of the first thing that does not fit.
    """
    validator = _Validator(params.json_schema, registry=Registry())

    def compute_row(i: int) -> Row:
        found, value = _parse_json(columns.objects("response")[i], params.fenced)
        if not found:
            return Row(0.0, details={"fault": "no JSON"})
        try:
            fault = next(iter(validator.iter_errors(value)), None)
        except (TimeoutError, RecursionError):
            raise ItemError(
                "response: takes too long, or nests too deep, to be checked against this schema", param="response"
            ) from None
        except Unresolvable as error:
            raise ItemError("the schema refers to what does not stand in it") from error
        if fault is None:
            return Row(1.0, details={"fault": None})
        return Row(0.5 if params.graded else 0.0, details={"fault": f"{fault.json_path}: {fault.validator}"})

    return by_row(columns.size, compute_row)


def _parse_json(text: str, fenced: bool) -> tuple[bool, Any]:
    texts = [text]
    if fenced:
        texts += [content for language, content in fences(text)[::-1] if language in ("json", "")]
        texts += [text.rpartition("<answer>")[2].partition("</answer>")[0]] if "<answer>" in text else []
    for candidate in texts:
        try:
            return True, json.loads(candidate, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            continue
    return False, None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _check_pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    """``pattern`` with a limit on its time: a schema's expression meets a response that may be hostile."""
    if validator.is_type(value, "string") and not regex.search(pattern, value, timeout=_PATTERN_TIMEOUT_S):
        yield jsonschema.ValidationError("does not match the pattern")


def _check_unique(validator: Any, wanted: bool, value: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    """``uniqueItems`` in linear time."""
    if wanted and validator.is_type(value, "array"):
        seen = {json.dumps(_normalise_numbers(entry), sort_keys=True) for entry in value}
        if len(seen) < len(value):
            yield jsonschema.ValidationError("has equal items")


def _normalise_numbers(value: Any) -> Any:
    """1.0 as 1: JSON has one kind of number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_normalise_numbers(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _normalise_numbers(entry) for key, entry in value.items()}
    return value


_Validator = extend(jsonschema.Draft202012Validator, {"pattern": _check_pattern, "uniqueItems": _check_unique})  # type: ignore[no-untyped-call]
