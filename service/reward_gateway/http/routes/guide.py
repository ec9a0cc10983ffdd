"""``/docs/guide/``: the documentation. All that it loads comes from here: a cluster may have no way out."""

import asyncio
import hashlib
from functools import cache

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from reward_gateway.errors import NotFound
from reward_gateway.guide.guide import Guide
from reward_gateway.guide.layout import CONTENT_SECURITY_POLICY
from reward_gateway.guide.search import INDEX
from reward_gateway.guide.site import PREFIX, STATIC

from ..dependencies import dependencies_of
from ..routing import raw_router

router = raw_router("guide")

_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}


@cache
def _guide_under(root_path: str, console: bool) -> Guide:
    return Guide(root_path=root_path, console=console)


@router.api_route("/docs/guide", methods=["GET", "HEAD"], include_in_schema=False)
async def redirect(request: Request) -> Response:
    """To the first page, whose address ends in a slash."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(dependencies_of(request).settings.root_path + PREFIX + query, 308)


@router.api_route("/docs/guide/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
async def read_guide(request: Request) -> Response:
    """A page, or what pages load."""
    deps = dependencies_of(request)
    guide, path = _guide_under(deps.settings.root_path, deps.settings.console), request.path_params["path"]
    if path.startswith(f"{STATIC}/"):
        return guide.assets.answer(PREFIX + path)
    if path == INDEX:
        index = await asyncio.to_thread(guide.write_index, deps.gateway.book)
        return _answer(request, index, "text/javascript")
    try:
        html = await asyncio.to_thread(guide.render_page, path)
    except NotFound as error:
        html = await asyncio.to_thread(guide.render_missing)
        return Response(html, error.status, headers=_HEADERS, media_type="text/html")
    return _answer(request, html, "text/html")


def _answer(request: Request, text: str, media_type: str) -> Response:
    """The text, unless the browser has it already."""
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = _HEADERS | {"etag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(text, headers=headers, media_type=media_type)
