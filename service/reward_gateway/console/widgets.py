"""What pages are made of: blocks of code to copy, notes, empty states, figures, sparklines."""

from collections.abc import Sequence

from reward_gateway.pages.html import Content, Html, el

WIDTH, HEIGHT = 160, 36
"""Of a sparkline, in units of its drawing."""


def render_code(text: str, label: str) -> Html:
    """Text to copy; ``label`` names it for those who do not see it."""
    return el(
        "div",
        el("pre", el("code", text), tabindex="0", aria_label=label, role="region"),
        el("button", "Copy", type="button", class_="copy", aria_label=f"Copy {label}"),
        class_="code",
    )


def render_note(*content: Content, kind: str = "info") -> Html:
    """A sentence that stands out: ``info``, ``warning`` or ``error``."""
    return el("p", *content, class_=f"notice {kind}", role="alert" if kind == "error" else None)


def render_empty(title: str, *content: Content) -> Html:
    """What stands where there is nothing to show yet, and says what to do."""
    return el("div", el("p", title, class_="title"), el("p", *content), class_="empty")


def render_badge(text: str, kind: str = "") -> Html:
    """One word of state: ``good``, ``bad``, ``warn`` or plain."""
    return el("span", text, class_=f"state {kind}".strip())


def render_figure(label: str, value: str, *content: Content, note: str = "") -> Html:
    """A number with its name, and what belongs to it."""
    return el(
        "div",
        el("dt", label),
        el("dd", el("strong", value), el("small", note) if note else None, *content),
        class_="figure",
    )


def draw_sparkline(values: Sequence[float | None], label: str) -> Html:
    """A line of values in their order, oldest first; a gap where there is none. Its lowest value is 0 or less."""
    known = [value for value in values if value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    span = (high - low) or 1.0
    step = WIDTH / max(1, len(values) - 1)
    path, pen_is_down = [], False
    for i, value in enumerate(values):
        if value is None:
            pen_is_down = False
            continue
        y = HEIGHT - 2 - (value - low) / span * (HEIGHT - 4)
        path.append(f"{'L' if pen_is_down else 'M'}{i * step:.1f} {y:.1f}")
        pen_is_down = True
    return el(
        "svg",
        el("path", d=" ".join(path), class_="curve"),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        class_="spark",
        role="img",
        aria_label=label,
    )
