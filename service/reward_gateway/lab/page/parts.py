"""Pieces of a report: a figure with its interval as a bar, cards, sections, and texts that open."""

from collections.abc import Sequence

from reward_gateway.pages.html import Content, Html, el, join

from ..report import Accuracy, Estimate
from ..words import interval

SHOWN = 4000
"""Characters of a text that a report shows at most."""

EXCERPT = 110


def render_section(title: str, *content: Content, note: str = "") -> Html:
    """A part of a report."""
    return el("section", el("h2", title), el("p", note, class_="note") if note else None, *content)


def render_card(name: str, figure: str, *more: Content, colour: str = "") -> Html:
    """A headline figure."""
    return el("div", el("span", name, class_="name"), el("strong", figure), *more, class_=f"card {colour}".strip())


def render_range(found: Accuracy | Estimate, colour: str, marked: float | None = None) -> Html:
    """A share and its interval as a line with a point on [0, 1].

    Args:
        marked: a share that a thin line shows, for the eye.
    """
    if found.value is None:
        return el("span", "–", class_="soft")

    def at(value: float) -> str:
        return f"{100 * min(max(value, 0.0), 1.0):.2f}%"

    low, high = (found.value if end is None else end for end in (found.low, found.high))
    parts = [el("line", x1="0", x2="100%", y1="8", y2="8", class_="track")]
    if marked is not None:
        parts.append(el("line", x1=at(marked), x2=at(marked), y1="2", y2="14", class_="track"))
    parts.append(el("line", x1=at(low), x2=at(high), y1="8", y2="8", class_="span"))
    parts.append(el("circle", cx=at(found.value), cy="8", r="4"))
    return el("svg", *parts, class_=f"range {colour}", aria_hidden="true")


def render_share(found: Accuracy | Estimate, colour: str = "a", marked: float | None = None) -> Html:
    """A share, its interval in words, and as a bar."""
    value, _, around = interval(found).partition(" ")
    return join(
        el("span", value, class_="figure"), " ", el("span", around, class_="figure"), render_range(found, colour)
    )


def render_facts(facts: Sequence[tuple[str, Content]]) -> Html:
    """What was measured: names and values."""
    return el("dl", (join(el("dt", name), el("dd", value)) for name, value in facts), class_="about")


def render_text(name: str, text: str, colour: str = "") -> Html:
    """A text of the set, shortened where it is very long."""
    cut = text if len(text) <= SHOWN else text[:SHOWN]
    more = el("p", f"… {len(text) - SHOWN:,} characters more", class_="note") if len(text) > SHOWN else None
    return el("div", el("h3", name), el("pre", cut, tabindex="0"), more, class_=f"text {colour}".strip())


def shorten(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1].rstrip() + "…"
