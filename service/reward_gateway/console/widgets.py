"""What pages are made of: blocks of code to copy, notes, empty states."""

from reward_gateway.pages.html import Content, Html, el


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
