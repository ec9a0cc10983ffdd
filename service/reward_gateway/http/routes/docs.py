"""``/docs``: the HTTP API as a page to try it on. All that it loads comes from here: a cluster may have no way out."""

from functools import cache
from importlib.resources import files

from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from reward_gateway.errors import NotFound

from ..routing import raw_router

router = raw_router("docs")

TYPES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:; "
    "script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_OPTIONS = "    presets: [\n"
_MARK_REQUESTS = (
    'requestInterceptor: (request) => { request.headers["X-Reward-Gateway"] = "1"; return request; },\n' + _OPTIONS
)
"""What Swagger UI sends with every request, so that the gateway knows its own page; an option that JSON cannot hold."""


@router.get("/docs", include_in_schema=False)
async def docs(_: Request) -> Response:
    """The page. Its addresses are relative, so that it works behind a proxy that puts a path before them."""
    return HTMLResponse(_render_page(), headers=HEADERS)


@cache
def _render_page() -> str:
    page = get_swagger_ui_html(
        openapi_url="./openapi.json",
        title="reward-gateway",
        swagger_js_url="docs/swagger-ui-bundle.js",
        swagger_css_url="docs/swagger-ui.css",
        swagger_favicon_url="docs/favicon-32x32.png",
        swagger_ui_parameters={"filter": True, "displayRequestDuration": True, "docExpansion": "none"},
    )
    return bytes(page.body).decode().replace(_OPTIONS, _MARK_REQUESTS, 1)


@router.get("/docs/{file}", include_in_schema=False)
async def asset(request: Request) -> Response:
    """A file of Swagger UI."""
    name = request.path_params["file"]
    if name not in TYPES:
        raise NotFound("there is nothing at this path")
    return Response(_read_asset(name), media_type=TYPES[name], headers=HEADERS | {"cache-control": "max-age=86400"})


@cache
def _read_asset(name: str) -> bytes:
    return (files("fastapi_swagger.resources") / name).read_bytes()
