"""Other servers' bodies on a path of ours: told apart by their keys, answered by their own handler.

A dialect registers the keys that only its body has:

    dispatch_body("/v1/score", SharedBody(frozenset({"text_1", "text_2"}), handler, PairRequest, Scores, OWN_FORMAT))

Nothing of this costs our own body anything: bodies are looked at only where decoding ours has failed.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from .errors import ErrorFormat
from .routing import Handler

_bodies: dict[str, list["SharedBody"]] = {}


@dataclass(frozen=True, slots=True)
class SharedBody:
    """One kind of body on a path that several servers' clients share.

    Attributes:
        keys: what tells it: a body that has all of them.
        body, answer: types of the request and of the 200 answer, for the OpenAPI page.
    """

    keys: frozenset[str]
    handler: Handler
    body: Any
    answer: Any
    error_format: ErrorFormat


def dispatch_body(path: str, shared: SharedBody) -> None:
    """Register a handler for bodies on ``path`` that have all of its keys."""
    _bodies.setdefault(path, []).append(shared)


def handler_for_body(path: str, keys: Collection[str], own: str | None = None) -> Handler | None:
    """The handler of another server's body, by its keys; None where it has our ``own`` key or nobody knows it."""
    if own is not None and own in keys:
        return None
    return next((shared.handler for shared in _bodies.get(path, ()) if shared.keys.issubset(keys)), None)


def paths_with_bodies() -> Iterable[str]:
    """The paths that are shared."""
    return _bodies.keys()


def bodies_at(path: str) -> list[SharedBody]:
    """The kinds of bodies that are known on a path, one for each set of keys."""
    return _bodies.get(path, [])
