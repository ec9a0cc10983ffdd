"""HTML as values: elements are built by name, and a text that is not an element is escaped, always."""

from collections.abc import Iterable
from html import escape

VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})


class Html(str):
    """Markup that is safe to stand in a page as it is."""

    __slots__ = ()


Content = str | Iterable["Content"] | None


def el(name: str, /, *content: Content, **attributes: str | bool | float | None) -> Html:
    """An element. ``class_`` reads as ``class``, ``stroke_width`` as ``stroke-width``; None and False are left out."""
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(f"{value}", quote=True)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(*content)}</{name}>")


def join(*content: Content) -> Html:
    """Contents one after the other; plain text is escaped."""
    parts: list[str] = []
    for part in content:
        if part is None:
            continue
        if isinstance(part, Html):
            parts.append(part)
        elif isinstance(part, str):
            parts.append(escape(part, quote=False))
        else:
            parts.append(join(*part))
    return Html("".join(parts))
