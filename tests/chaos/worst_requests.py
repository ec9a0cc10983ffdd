"""The worst legal requests to single operations: as many items, texts as long and lists as large as the limits allow.

Built for every operation of the catalogue from its worked examples, which hold what belongs together (labels beside
their vectors, a matrix as wide as its columns are many): their texts and lists are repeated until a body is full, in
four ways. :data:`SPECIAL` adds what no repetition makes.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from reward_gateway.operations.registry import Operation
from reward_gateway.operations.worked_examples import examples_of
from reward_gateway.settings import Settings

BODY = 4 << 20
"""Bytes of a body; enough for each way to cost what it can."""

ROWS, TEXT = Settings().max_samples, Settings().max_text_chars

Sizes = tuple[int, int, int, int]
"""Rows; characters of a text; entries of a list; entries of a list within a list."""


@dataclass(frozen=True, slots=True)
class WorstRequest:
    """A body of ``POST /v1/{kind}/{name}``, and the way in which it is the worst."""

    kind: str
    name: str
    way: str
    body: bytes

    def __str__(self) -> str:
        return f"{self.kind}/{self.name} {self.way}"


def _make_rows(scale: float) -> Sizes:
    return min(ROWS, max(1, int(scale))), 0, 0, 0


def _make_long(scale: float) -> Sizes:
    return 1, min(TEXT, max(1, int(scale))), max(1, int(scale)), 0


def _make_square(scale: float) -> Sizes:
    side = max(1, int(scale**0.5))
    return 1, min(TEXT, max(1, int(scale))), side, side


def _make_both(scale: float) -> Sizes:
    side = max(1, int(scale**0.5))
    return min(ROWS, side), min(TEXT, side), side, 0


WAYS: Mapping[str, Callable[[float], Sizes]] = {
    "with many items": _make_rows,
    "with long lists and texts": _make_long,
    "with large matrices": _make_square,
    "with many items of long lists": _make_both,
}


def worst_requests(operation: Operation, limit: int = BODY) -> Iterator[WorstRequest]:
    """The worst requests to an operation, each within ``limit`` bytes.

    Yields those of every worked example whose fields or parameters differ from those before, and the special ones.
    """
    seen: set[bytes] = set()
    for item, params in _read_examples(operation):
        for most in (False, True):
            asked = _raise_params(operation, params) if most else params
            if most and asked == params:
                continue
            for way, sizes in WAYS.items():
                body = _fill_body(item, asked, sizes, limit)
                if body not in seen:
                    seen.add(body)
                    yield WorstRequest(
                        operation.kind, operation.name, f"{way}{' and parameters' if most else ''}", body
                    )
    for way, make in SPECIAL.get((operation.kind, operation.name), {}).items():
        yield WorstRequest(operation.kind, operation.name, way, json.dumps(make()).encode())


def _read_examples(operation: Operation) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """An item and parameters per set of names that the worked examples use."""
    seen: set[tuple[str, ...]] = set()
    for example in examples_of(operation.kind, operation.name):
        if not example.items or not isinstance(example.items[0], dict):
            continue
        names = (*sorted(example.items[0]), *sorted(example.params))
        if names not in seen:
            seen.add(names)
            yield example.items[0], example.params


def _raise_params(operation: Operation, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters with every bounded integer at its largest, as far as they may be given together."""
    properties = operation.params.model_json_schema().get("properties", {})
    raised = dict(params)
    for name, schema in properties.items():
        for choice in (schema, *schema.get("anyOf", ())):
            if choice.get("type") == "integer" and "maximum" in choice:
                more = raised | {name: choice["maximum"]}
                with contextlib.suppress(ValidationError):
                    operation.params.model_validate(more)
                    raised = more
    return raised


def _fill_body(item: dict[str, Any], params: dict[str, Any], sizes: Callable[[float], Sizes], limit: int) -> bytes:
    """The largest body of a shape within the limit, by bisection over its scale."""
    low, high = 1.0, float(limit)
    best = _make_body(item, params, sizes(low))
    while high / low > 1.1:
        middle = (low * high) ** 0.5
        if _measure(item, sizes(middle)) > limit:
            high = middle
            continue
        body = _make_body(item, params, sizes(middle))
        if len(body) > limit:
            high = middle
        else:
            low, best = middle, body
    return best


def _measure(item: dict[str, Any], sizes: Sizes) -> float:
    """Bytes of a body, by a rough count, so that none far over the limit is made."""
    rows, text, outer, inner = sizes
    return rows * sum(_measure_value(value, text, outer, inner) for value in item.values())


def _measure_value(value: Any, text: int, outer: int, inner: int) -> float:
    if isinstance(value, str):
        return max(len(value), text)
    if isinstance(value, list) and value:
        return max(len(value), outer) * max(_measure_value(entry, 0, inner, 0) for entry in value)
    if isinstance(value, dict):
        return sum(_measure_value(entry, text, outer, inner) for entry in value.values())
    return 1


def _make_body(item: dict[str, Any], params: dict[str, Any], sizes: Sizes) -> bytes:
    rows, text, outer, inner = sizes
    made = json.dumps({name: _enlarge(value, text, outer, inner) for name, value in item.items()})
    return f'{{"items": [{", ".join([made] * rows)}], "params": {json.dumps(params)}}}'.encode()


def _enlarge(value: Any, text: int, outer: int, inner: int) -> Any:
    """A value with its texts and lists repeated up to these sizes."""
    if isinstance(value, str):
        return (value * (text // len(value)) if value else "") or value
    if isinstance(value, list) and value:
        entries = [_enlarge(entry, 0, inner, 0) for entry in value]
        return [entries[i % len(entries)] for i in range(max(len(entries), outer))]
    if isinstance(value, dict):
        return {name: _enlarge(entry, text, outer, inner) for name, entry in value.items()}
    return value


@dataclass(frozen=True, slots=True)
class Piece:
    """A body that repeats one piece, separated by commas, between a head and a tail; at most so many times."""

    head: str
    piece: str
    tail: str
    most: int | None = None

    def fill(self, limit: int) -> bytes:
        """The largest such body within a limit of bytes."""
        count = (limit - len(self.head) - len(self.tail)) // (len(self.piece) + 1)
        return f"{self.head}{','.join([self.piece] * min(count, self.most or count))}{self.tail}".encode()


_FEATURE = '{"samples": [{"response": "a b", "features": {"mine": ['
_TENSOR = '{"inputs": [{"name": "response", "shape": [1, 1], "datatype": "BYTES", "data": ["a"]}, '
_JSON_TENSOR = '{"name": "features", "shape": [1, 1], "datatype": "BYTES", "data": ["{\\"mine\\": ['

ENTRIES: Mapping[str, tuple[str, Piece]] = {
    "samples with long texts": ("/v1/score", Piece('{"samples": [', f'{{"response": "{"word " * 3000}"}}', "]}", ROWS)),
    "a long list of numbers": ("/v1/score?reward=counted", Piece(_FEATURE, "0", "]}}]}")),
    "many short lists": ("/v1/score?reward=counted", Piece(_FEATURE, "[0]", "]}}]}")),
    "lists of several lengths": ("/v1/score?reward=counted", Piece(_FEATURE + "[],", "[0]", "]}}]}")),
    "more samples than are taken": ("/v1/score", Piece('{"samples": [', "{}", "]}")),
    "criteria": ("/v1/score", Piece('{"samples": [{"response": "a", "rubric": [', '{"text": "x"}', "]}]}")),
    "numbers in a tensor": ("/v2/models/counted/infer", Piece(_TENSOR + _JSON_TENSOR, "0", ']}"]}]}')),
    "lists in a tensor": ("/v2/models/counted/infer", Piece(_TENSOR + _JSON_TENSOR, "[0]", ']}"]}]}')),
    "documents to rank": ("/rerank", Piece('{"query": "q", "documents": [', f'"{"word " * 3000}"', "]}", ROWS)),
    "more documents than are taken": ("/rerank", Piece('{"query": "q", "documents": [', '"a"', "]}")),
    "a trainer's texts": ("/get_reward", Piece('{"query": [', f'"{"word " * 3000}"', '], "prompts": ["p"]}', ROWS)),
}
"""Path and body of the worst requests to what scores by recipes."""


def _distinct_words(characters: int) -> str:
    return " ".join(f"{i:x}" for i in range(characters // 6))[:characters]


def _texts(**params: Any) -> Callable[[], dict[str, Any]]:
    """Eight pairs of the longest texts, of words that differ."""
    left, right = _distinct_words(TEXT), _distinct_words(TEXT)[::-1]
    return lambda: {"items": [{"response": left, "reference": right}] * 8, "params": params}


SPECIAL: dict[tuple[str, str], dict[str, Callable[[], dict[str, Any]]]] = {
    ("score", "rouge"): {"with words that differ": _texts()},
    ("score", "bleu"): {"with words that differ": _texts()},
    ("score", "edit_similarity"): {"with words that differ": _texts()},
    ("score", "token_f1"): {"with words that differ": _texts()},
    ("score", "regex_match"): {
        "with a pattern that expands": lambda: {
            "items": [{"response": "a" * TEXT}],
            "params": {"pattern": "(?:(?:a{1000}){1000}){1000}"},
        },
        "with a pattern that backtracks": lambda: {
            "items": [{"response": "a" * 5000}] * 64,
            "params": {"pattern": "(a+)+b"},
        },
    },
    ("score", "json_schema"): {
        "with references that double": lambda: {
            "items": [{"response": "1"}],
            "params": {
                "json_schema": {
                    "$ref": "#/$defs/a0",
                    "$defs": {
                        f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}, {"$ref": f"#/$defs/a{i + 1}"}]}
                        for i in range(30)
                    }
                    | {"a30": {"type": "integer"}},
                }
            },
        },
        "with a deep answer": lambda: {
            "items": [{"response": "[" * 50_000 + "]" * 50_000}],
            "params": {"json_schema": {"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}},
        },
    },
    ("score", "valid_python"): {
        "with deep brackets": lambda: {"items": [{"response": "(" * 90 + "x" + ")" * 90 + "\n"}] * 4096},
        "with a long sum": lambda: {"items": [{"response": "x = " + "1+" * 99_000 + "1"}] * 8},
    },
    ("score", "math_equivalence"): {
        "with a power of powers": lambda: {"items": [{"response": "9**9**9**9", "reference": "1"}] * 64},
    },
}
