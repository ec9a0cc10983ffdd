"""JSON nesting, counted on the bytes: the body's own braces are level 1, brackets inside strings do not count."""

import numpy as np

from reward_gateway.errors import InvalidRequest

_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[{]}")
_PIECE = 1 << 20
"""Bytes that are looked at together: few enough that this needs little memory, however many strings there are."""


def too_deep(limit: int, param: str | None = None) -> InvalidRequest:
    """The refusal."""
    return InvalidRequest(f"the JSON is nested deeper than {limit} levels", param=param)


def nesting(data: bytes) -> int:
    """The deepest level of a JSON text; a bare value has level 0."""
    without_escapes = data.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in data else data
    deepest = level = in_string = 0
    for start in range(0, len(without_escapes), _PIECE):
        parts = without_escapes[start : start + _PIECE].split(b'"')
        brackets = b"".join(parts[in_string::2]).translate(None, _NO_BRACKETS)
        in_string ^= (len(parts) - 1) % 2
        if brackets:
            codes = np.frombuffer(brackets, np.uint8)
            levels = level + np.cumsum(np.where((codes == 0x5B) | (codes == 0x7B), 1, -1))
            deepest, level = max(deepest, int(levels.max())), int(levels[-1])
    return deepest


def check_nesting(data: bytes, limit: int, *, above: int = 0, param: str | None = None) -> None:
    """Raise InvalidRequest if ``data``, which stands ``above`` levels down in its body, goes deeper than ``limit``."""
    room = limit - above
    if data.count(b"{") + data.count(b"[") > room and nesting(data) > room:
        raise too_deep(limit, param)
