"""Home: whether rewards can be had, from what, and how to ask for one."""

from reward_gateway.pages.html import Html, el, join
from reward_gateway.pages.layout import render_table
from reward_gateway.pages.operation_page import format_curl
from reward_gateway.pages.recipe_page import build_sample
from reward_gateway.recipes.plan import Plan
from reward_gateway.scoring.readiness import Readiness

from ..page import Page, Visit
from ..widgets import render_badge, render_code

page = Page("home", "Home", order=0, path="/")


@page.show
async def show(visit: Visit) -> Html:
    """Readiness with its reasons, the models, and a request to copy."""
    gateway = visit.parts.gateway
    readiness = await gateway.check_readiness()
    default = gateway.book.plans[gateway.book.default]
    return join(
        el("h1", "Home", class_="hidden"),
        _render_readiness(readiness),
        el("h2", "Ask for a reward"),
        render_code(_format_request(visit, default), "request"),
    )


def _render_readiness(readiness: Readiness) -> Html:
    state, kind = ("Ready", "good") if readiness.ready else ("Not ready", "bad")
    if readiness.ready and readiness.missing:
        state, kind = "Degraded", "warn"
    rows = [(el("code", name), reason) for name, reason in sorted(readiness.missing.items())]
    return el(
        "section",
        el("p", render_badge(state, kind), f" The default recipe is {readiness.default}.", class_="lead"),
        render_table(("recipe", "cannot answer, because"), *rows) if rows else None,
        aria_label="Readiness",
    )


def _format_request(visit: Visit, plan: Plan) -> str:
    return format_curl("/v1/score", {"reward": plan.name, "samples": [build_sample(plan)]})
