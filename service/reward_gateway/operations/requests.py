"""A request for one operation from its body to its encoded answer, in one function that a worker process can run."""

from collections.abc import Callable
from typing import Any

from .apply import apply
from .effects import Effectful
from .registry import catalog

Results = list[dict[str, Any]]
"""JSON-ready results, one per item."""

ReadBody = Callable[[bytes], tuple[list[Any], dict[str, Any] | None]]
"""Decodes a body to items and parameters; can be pickled. Raises GatewayError for a body that is none."""

EncodeResults = Callable[[Results], Any]
"""Encodes results; can be pickled."""


def load_operations() -> None:
    """Import all operations: what a worker process does first."""
    catalog()


def answer_body(kind: str, name: str, read: ReadBody, encode: EncodeResults, body: bytes = b"") -> Effectful[Any]:
    """Decode a body, apply the operation and encode the results."""
    operation = catalog().get(kind, name)
    assert operation is not None
    items, params = read(body)
    return encode((yield from apply(operation, items, params)))
