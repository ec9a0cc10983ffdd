"""Keys: who may call, and what they may do. Read only: the file of keys is changed where it lies."""

from reward_gateway.pages.html import Html, el, join
from reward_gateway.pages.layout import render_table

from ..page import Page, Visit
from ..widgets import render_badge, render_empty

page = Page("keys", "Keys", right="admin")

_MEANINGS = (
    ("score", "Request rewards, read the catalogue, and see Home, Try, Recipes, Compare and the caller's own runs."),
    ("state", "Change named state: references, sets, archives, streams."),
    ("admin", "Everything, across callers: models, samples, operations."),
)


@page.show
async def show(visit: Visit) -> Html:
    """The keys with their rights; never a key or its hash."""
    keys = visit.parts.traffic.keys
    heading = join(
        el("h1", "Keys"),
        el("p", "Who may call this gateway, from the file of keys that it was started with.", class_="lead"),
    )
    if not keys.required:
        return join(
            heading,
            render_empty(
                "No keys are required",
                "Whoever reaches this address may do everything. To ask for keys, start the gateway with ",
                el("code", "--api-keys-file keys.yaml"),
                ".",
            ),
        )
    rows = [
        (
            el("code", key.name),
            [(render_badge(right), " ") for right in key.rights],
            key.caller,
            key.rate or visit.parts.settings.rate_limit or "no limit",
            key.priority,
        )
        for key in keys.entries
    ]
    return join(
        heading,
        render_table(("key", "rights", "caller", "rate", "priority"), *rows),
        el("h2", "Rights"),
        el("dl", ((el("dt", el("code", name)), el("dd", meaning)) for name, meaning in _MEANINGS), class_="meanings"),
    )
