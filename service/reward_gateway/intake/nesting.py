"""JSON nesting, counted on the bytes: the body's own braces are level 1, brackets inside strings do not count."""

import re

from reward_gateway.errors import InvalidRequest

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[{]|[\]}]', re.DOTALL)


def too_deep(limit: int, param: str | None = None) -> InvalidRequest:
    """The refusal."""
    return InvalidRequest(f"the JSON is nested deeper than {limit} levels", param=param)


def nesting(data: bytes) -> int:
    """The deepest level of a JSON text; a bare value has level 0."""
    deepest = level = 0
    for match in _TOKEN.finditer(data):
        byte = data[match.start()]
        if byte in b"[{":
            level += 1
            deepest = max(deepest, level)
        elif byte != 0x22:
            level -= 1
    return deepest


def check_nesting(data: bytes, limit: int, *, above: int = 0, param: str | None = None) -> None:
    """Raise InvalidRequest if ``data``, which stands ``above`` levels down in its body, goes deeper than ``limit``."""
    room = limit - above
    if data.count(b"{") + data.count(b"[") > room and nesting(data) > room:
        raise too_deep(limit, param)
