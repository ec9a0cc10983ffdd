"""Is the response JSON of the shape that was asked for?"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any
from urllib.parse import unquote

import jsonschema
from jsonschema.validators import extend
from pydantic import Field, field_validator
from referencing import Registry
from referencing.exceptions import Unresolvable

from ..answers.fences import find_fences
from ..answers.sections import last_tagged
from ..columns import Columns
from ..costs import UNBOUNDED
from ..json_formats import FORMATS
from ..outcome import ItemError, Outcome, Row, by_row
from ..patterns import compile_pattern
from ..reading.params import FinalTextParams
from ..reading.rule_fields import FieldsOnly
from ..registry import OperationItem, operation

_PATTERN_TIMEOUT_S = 0.05

MOST_NODES = 10_000
"""Most schemas that a schema has in it when its references are written out, those that lead in a circle once."""

MOST_REFERENCES = 20_000
"""Most references that are followed for one response."""

_JSON = ("json", "jsonc", "json5")
_REFERENCES = ("$ref", "$dynamicRef")
_VALUES = ("const", "enum", "default", "examples")
"""Keywords that hold values, not schemas."""


class Params(FinalTextParams):
    json_schema: dict[str, Any] | None = Field(
        None,
        description="JSON Schema, draft 2020-12. References within it only; written out, at most 10,000 nodes. If "
        "omitted: every item has its own.",
    )
    fenced: bool = Field(True, description="Also read JSON from the last fenced block, or from <answer> tags.")
    graded: bool = Field(False, description="Half a point for JSON that does not fit the schema.")

    @field_validator("json_schema")
    @classmethod
    def _is_a_schema(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if schema is None else check_schema(schema)


def check_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without its ``$schema``.

    Raises:
        ValueError: it is none, too large, or has what is not supported.
    """
    # Where $schema stands, jsonschema takes a validator of its own for it, which has none of the limits here.
    schema = {keyword: value for keyword, value in schema.items() if keyword != "$schema"}
    _check_size(schema)
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except (jsonschema.SchemaError, RecursionError) as error:
        raise ValueError(f"json_schema is no JSON Schema: {getattr(error, 'message', 'nested too deep')}") from None
    if "patternProperties" in json.dumps(schema):
        raise ValueError("json_schema: patternProperties is not supported; name the properties")
    return schema


class Item(OperationItem):
    response: str = Field(description="Response that is JSON, or holds it in a fenced block or in <answer>.")
    json_schema: dict[str, Any] | None = Field(None, description="Its own schema, in place of the parameters'.")
    reference: FieldsOnly = Field(None, description="An object with `json_schema`.")


@operation(
    "score",
    "json_schema",
    item=Item,
    params=Params,
    cost=UNBOUNDED,
    calls=True,
    rule_fields=("json_schema",),
)
def json_schema(columns: Columns, params: Params) -> Outcome:
    """1 if the response is JSON that fits the schema, else 0 (with ``graded``: .5 for JSON that does not fit).

    The schema is the item's own (in the item or in its reference), else that of the parameters; an item without any, or
    with one that is none, is an item error. Schemas are of draft 2020-12. The JSON is the whole response, else what
    stands in the last <answer>, else the last closed fence that names JSON (within <answer> first), else the last that
    names nothing. In a recipe, the tool calls of a message are JSON below its words
    (``{"name", "arguments"}``, or a list of them), so that a message that does nothing but call is JSON. NaN and
    Infinity are no JSON, nor is an object with the same key twice. `format` is checked. References to other documents
    are never fetched. Details: `fault`, the place of the first thing that does not fit.
    """
    schemas = columns.objects("json_schema")

    def compute_row(i: int) -> Row:
        schema = params.json_schema if schemas[i] is None else _own_schema(schemas[i])
        if schema is None:
            raise ItemError("json_schema: give one in the parameters, or in the item or its reference", "json_schema")
        found, value = _parse_json(columns.objects("response")[i], params.fenced)
        if not found:
            return Row(0.0, details={"fault": "no JSON"})
        fault = _find_fault(schema, value)
        if fault is None:
            return Row(1.0, details={"fault": None})
        return Row(0.5 if params.graded else 0.0, details={"fault": f"{fault.json_path}: {fault.validator}"})

    return by_row(columns.size, compute_row)


def _find_fault(schema: dict[str, Any], value: Any) -> jsonschema.ValidationError | None:
    """The first thing in a value that does not fit a schema that :func:`check_schema` took. Raises ItemError where that
    cannot be told."""
    checker = _Validator(schema, registry=Registry(), format_checker=_FollowedReferences())
    try:
        return next(iter(checker.iter_errors(value)), None)
    except (TimeoutError, RecursionError, _TooManyReferences):
        raise ItemError(
            "response: takes too long, or nests too deep, to be checked against this schema", param="response"
        ) from None
    except ValueError as error:  # a pattern that stands where no keyword is expected
        raise ItemError(str(error)) from None
    except Unresolvable as error:
        raise ItemError("the schema refers to what does not stand in it") from error


def fits_schema(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value fits a schema that :func:`check_schema` took. Raises ItemError where that cannot be told."""
    return _find_fault(schema, value) is None


def _own_schema(schema: dict[str, Any]) -> dict[str, Any]:
    try:
        return check_schema(schema)
    except ValueError as error:
        raise ItemError(str(error), "json_schema") from None


def _parse_json(text: str, fenced: bool) -> tuple[bool, Any]:
    """Whether a text is JSON, or holds it in a closed fence or in <answer>; and its value."""
    texts = [text]
    if fenced:
        answer = last_tagged(text, "answer")
        within = [text] if answer is None else [answer, text]
        texts += within[:-1]
        for part in within:
            blocks = [block for block in find_fences(part) if block.language in (*_JSON, "")]
            named = [block for block in blocks if block.language] or blocks
            texts += [block.content for block in named[-1:] if block.closed]
    for candidate in texts:
        try:
            return True, json.loads(candidate, parse_constant=_no_constant, object_pairs_hook=_refuse_duplicates)
        except (ValueError, RecursionError):
            continue
    return False, None


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return made


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


class _TooManyReferences(Exception):
    """A response would have more references followed than :data:`MOST_REFERENCES`."""


def _write_checks(formats: Mapping[str, Callable[[str], bool]]) -> dict[str, Any]:
    """The checks as the library calls them; values that are no text have no format."""
    return {
        name: (lambda value, check=check: not isinstance(value, str) or check(value), ())
        for name, check in formats.items()
    }


_CHECKS = {**jsonschema.Draft202012Validator.FORMAT_CHECKER.checkers, **_write_checks(FORMATS)}


class _FollowedReferences(jsonschema.FormatChecker):
    """Counts the references followed for one response. A schema that refers to itself twice doubles with every level.

    It is the validator's checker of formats as well: that is what the validators of a schema's parts take over from the
    validator of the whole.
    """

    def __init__(self) -> None:
        super().__init__(formats=())
        self.checkers = _CHECKS
        self.count = 0


def _limit_references(keyword: str) -> Any:
    check = jsonschema.Draft202012Validator.VALIDATORS[keyword]

    def check_reference(validator: Any, reference: Any, value: Any, schema: Any) -> Iterator[Any]:
        validator.format_checker.count += 1
        if validator.format_checker.count > MOST_REFERENCES:
            raise _TooManyReferences
        yield from check(validator, reference, value, schema) or ()

    return check_reference


def _check_size(schema: Any) -> None:
    """Raise ValueError for a schema that is too large with its references written out, or has a pattern over limits."""
    sizes: dict[int, int] = {}

    def measure(node: Any) -> int:
        if not isinstance(node, dict | list):
            return 0
        if id(node) in sizes:
            return sizes[id(node)]
        sizes[id(node)] = 1  # what leads back here, in a circle
        total = 1
        for held in [node[key] for key in node if key not in _VALUES] if isinstance(node, dict) else node:
            total += measure(held)
        if isinstance(node, dict):
            if isinstance(node.get("$schema"), str):
                raise ValueError("json_schema: $schema stands at the top alone; leave it out elsewhere")
            if isinstance(pattern := node.get("pattern"), str):
                compile_pattern(pattern)
            for keyword in _REFERENCES:
                total += measure(_find(schema, node.get(keyword)))
        if total > MOST_NODES:
            raise ValueError(
                f"json_schema: with its references written out it has over {MOST_NODES:,} nodes; make it smaller"
            )
        sizes[id(node)] = total
        return total

    try:
        measure(schema)
    except RecursionError:
        raise ValueError("json_schema: nested too deep") from None


def _find(schema: Any, reference: Any) -> Any:
    """The part of a schema that a reference names by its path; None where it names nothing, or by an anchor."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    node = schema
    for name in unquote(reference[1:]).split("/")[1:]:
        name = name.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list):
            node = node[int(name)] if name.isdecimal() and int(name) < len(node) else None
        else:
            node = node.get(name) if isinstance(node, dict) else None
    return node


def _check_pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    """``pattern`` with a limit on its time: a schema's expression meets a response that may be hostile."""
    if validator.is_type(value, "string") and not compile_pattern(pattern).search(value, timeout=_PATTERN_TIMEOUT_S):
        yield jsonschema.ValidationError("does not match the pattern")


def _check_multiple(validator: Any, divisor: Any, value: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    """``multipleOf`` by decimal digits, which neither overflow nor round: .3 is a multiple of .1."""
    if validator.is_type(value, "number") and not _is_multiple(value, divisor):
        yield jsonschema.ValidationError("is no multiple")


def _is_multiple(value: float, divisor: float) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return False  # a number beyond all doubles
    return (Fraction(repr(value)) / Fraction(repr(divisor))).denominator == 1


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


_Validator = extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    {
        "pattern": _check_pattern,
        "uniqueItems": _check_unique,
        "multipleOf": _check_multiple,
        **{keyword: _limit_references(keyword) for keyword in _REFERENCES},
    },
)
