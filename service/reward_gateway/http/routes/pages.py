"""``/pages``: what the service can do, for people: a page for every operation and every recipe."""

from functools import cache

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.pages.layout import CONTENT_SECURITY_POLICY
from reward_gateway.pages.pages import Pages
from reward_gateway.pages.site import HOME, REWARDS, SYSTEMS, operation_path, reward_path

from ..dependencies import dependencies_of
from ..openapi import describe, parameter
from ..routing import raw_router

router = raw_router("pages")

_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_NAME = parameter("name", "path", "Its name.")


@cache
def _pages_under(root_path: str) -> Pages:
    return Pages(root_path=root_path)


async def _render_page(request: Request, path: str) -> Response:
    deps = dependencies_of(request)
    html = await _pages_under(deps.settings.root_path).render_page(path, deps.gateway.book)
    return Response(html, headers=_HEADERS, media_type="text/html")


@router.get("/pages", **describe("Read about every operation", answer_type="text/html"))
async def operations(request: Request) -> Response:
    """The operations by kind, with how sure each formula is."""
    return await _render_page(request, HOME)


@router.get("/pages/rewards", **describe("Read about every recipe", answer_type="text/html"))
async def rewards(request: Request) -> Response:
    """The recipes that are loaded, and the guards."""
    return await _render_page(request, REWARDS)


@router.get("/pages/systems", **describe("Read about what is not served", answer_type="text/html"))
async def systems(request: Request) -> Response:
    """Publications that define no reward, and why."""
    return await _render_page(request, SYSTEMS)


@router.get(
    "/pages/operations/{kind}/{name}",
    **describe(
        "Read about one operation",
        answer_type="text/html",
        parameters=(parameter("kind", "path", "Kind of the operation."), _NAME),
    ),
)
async def operation(request: Request) -> Response:
    """Formula, parameters, fields, source, fidelity, examples with their answers, and its curve where it is one."""
    return await _render_page(request, operation_path(request.path_params["kind"], request.path_params["name"]))


@router.get(
    "/pages/rewards/{name}",
    **describe("Read about one recipe", answer_type="text/html", parameters=(_NAME,)),
)
async def reward(request: Request) -> Response:
    """Its plan as a picture, its components, a request to it, and the recipe as it is written."""
    return await _render_page(request, reward_path(request.path_params["name"]))
