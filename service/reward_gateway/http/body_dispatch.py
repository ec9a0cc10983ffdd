"""Other servers' bodies on a path of ours: told apart by their keys, answered by their own handler.

A dialect registers the keys that only its body has:

    @dispatch_body("/v1/score", "text_1", "text_2")
    async def cross_encoder_score(request: Request) -> Response: ...

Nothing of this costs our own body anything: shapes are looked at only where decoding ours has failed.
"""

from collections.abc import Callable

import msgspec

from .routing import Handler

_shapes: dict[str, list[tuple[frozenset[str], Handler]]] = {}
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw])


def dispatch_body(path: str, *keys: str) -> Callable[[Handler], Handler]:
    """Register a handler for bodies on ``path`` that have all of ``keys``."""

    def register(handler: Handler) -> Handler:
        _shapes.setdefault(path, []).append((frozenset(keys), handler))
        return handler

    return register


def handler_for_body(path: str, body: bytes, own: str | None = None) -> Handler | None:
    """The handler of another server's body; None where the body has our ``own`` key or nobody knows it."""
    if path not in _shapes:
        return None
    try:
        given = _keys.decode(body).keys()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if own is not None and own in given:
        return None
    return next((handler for keys, handler in _shapes[path] if keys <= given), None)


def bodies_at(path: str) -> list[list[str]]:
    """The sets of keys that are known on a path."""
    return [sorted(keys) for keys, _ in _shapes.get(path, ())]
