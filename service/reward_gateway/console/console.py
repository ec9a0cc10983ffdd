"""The console as the HTTP entry sees it: which requests are its own, whose they are, and their answers."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import partial
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match, Route
from starlette.types import Message, Receive, Scope, Send

from reward_gateway.errors import (
    Draining,
    GatewayError,
    MethodNotAllowed,
    NotFound,
    PermissionDenied,
    TooLarge,
    Unauthenticated,
)
from reward_gateway.pages.html import Content, Html, el, join
from reward_gateway.traffic.keys import ANYBODY, ApiKey

from . import login, pages
from .addresses import VisitorAddress
from .assets import PREFIX as STATIC
from .layout import HEADERS, render_layout
from .login import LOGIN, LOGOUT, Login
from .page import Answer, Handler, Page, Parts, Streamer, Titled, Visit
from .sessions import Sessions
from .streams import LONGEST_WORK_S, EventStreams
from .visitors import TOKEN_FIELD, TOKEN_HEADER, VisitorCookie, is_token_of, make_id, token_for
from .widgets import render_note

STRANGER = ApiKey(name="stranger", sha256="0" * 64, rights=())
"""Who has not logged in."""

LARGEST_LOGIN = 16 << 10
"""Maximum bytes of a login form."""

OPEN = (LOGIN, LOGOUT)
"""Paths that need no session."""

_VISITOR = "reward_gateway.visitor"


def prefers_html(accept: str) -> bool:
    """Whether a client would rather have HTML than JSON."""
    found = {"text/html": 0.0, "application/json": 0.0}
    for entry in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        try:
            found[kind] = max(found.get(kind, 0.0), float(quality))
        except ValueError:
            continue
    return found["text/html"] > found["application/json"]


class Console:
    """Implements :class:`reward_gateway.http.mounted.Mounted`."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.streams = EventStreams(parts.traffic.drain)
        self._cookie = VisitorCookie(parts.settings)
        self._sessions = Sessions(parts.gateway.runtime.state.sessions, parts.traffic.keys)
        addresses = VisitorAddress(parts.settings.trusted_proxies)
        login_form = Login(parts.traffic.keys, self._sessions, self._cookie, addresses)
        self._pages: list[Page] = []
        self._routes: list[Route] = [
            Route("/console", self._go_home, methods=["GET"]),
            Route(LOGIN, partial(self._send_part, login.page, login_form.log_in), methods=["POST"]),
            Route(LOGOUT, partial(self._send_part, login.page, login_form.log_out), methods=["POST"]),
            *self._routes_of(login.page),
        ]
        for page in find_pages():
            self.add(page)

    def add(self, page: Page) -> None:
        """Serve a page."""
        self._pages.append(page)
        self._routes += self._routes_of(page)

    # What the entry asks

    def owns(self, scope: Scope) -> bool:
        path: str = scope["path"]
        if path == "/":
            return scope["method"] in ("GET", "HEAD") and self.prefers_page(scope)
        return path == "/console" or path.startswith("/console/")

    def is_stream(self, scope: Scope) -> bool:
        return scope["method"] == "GET" and any(scope["path"] in page.streams for page in self._pages)

    def is_asset(self, scope: Scope) -> bool:
        path: str = scope["path"]
        return scope["method"] == "GET" and path.startswith(STATIC)

    async def identify(self, scope: Scope) -> ApiKey:
        path = scope["path"]
        if path.startswith(STATIC):
            return STRANGER
        visitor = self._cookie.read(scope)
        scope[_VISITOR] = visitor or make_id()
        keys = self.parts.traffic.keys
        if not keys.required:
            return ANYBODY
        if path in OPEN:
            _check_login_size(Headers(scope=scope))
            return STRANGER
        key = await self._sessions.find(visitor) if visitor is not None else None
        if key is None:
            raise Unauthenticated("log in first")
        await self.parts.traffic.rate_limiter.check_rate(key)
        return key

    async def find_reader(self, scope: Scope) -> ApiKey | None:
        if not self.parts.traffic.keys.required:  # whoever reads needs no session, nor the store that keeps them
            return None
        visitor = self._cookie.read(scope)
        return await self._sessions.find(visitor) if visitor is not None else None

    def prefers_page(self, scope: Scope) -> bool:
        return prefers_html(Headers(scope=scope).get("accept", ""))

    async def answer(self, scope: Scope, receive: Receive, send: Send, body: bytes, key: ApiKey) -> None:
        if scope["path"].startswith(STATIC):
            response: Response = self.parts.assets.answer(scope["path"])
        else:
            route = self._find(scope)
            request = Request(scope, partial(_replay, [body], receive))
            token = token_for(scope[_VISITOR])
            if scope["method"] not in ("GET", "HEAD"):
                await self._check_token(request)
            response = await route.endpoint(request, key, token)
            if self._cookie.read(scope) is None and "set-cookie" not in response.headers:
                self._cookie.write(response, scope, scope[_VISITOR])
        await response(scope, receive, send)

    def refuse(self, scope: Scope, error: GatewayError) -> Response:
        headers = Headers(scope=scope)
        is_part = headers.get("hx-request") == "true"
        root = self.parts.settings.root_path
        if isinstance(error, Unauthenticated):
            wanted = scope["path"] if scope["method"] == "GET" and not is_part else "/"
            target = f"{root}{LOGIN}?next={quote(wanted)}"
            return (
                Response(status_code=401, headers={"hx-redirect": target}) if is_part else RedirectResponse(target, 303)
            )
        more = {"retry-after": str(max(1, round(error.retry_after_s)))} if error.retry_after_s is not None else {}
        if isinstance(error, MethodNotAllowed):
            more["allow"] = ", ".join(error.allowed)
        content: Html = render_note(error.message, kind="error")
        if not is_part:
            page = Page("error", error.code.replace("_", " "), path="")
            visit = Visit(self.parts, page, STRANGER, Request(scope), token_for(scope.get(_VISITOR, "")))
            heading = el("h1", page.title.capitalize())
            links = [("Go to the first page", "/")]
            if isinstance(error, Draining):
                content = join(
                    content, el("p", "Load this page again in a moment: the gateway that takes over answers.")
                )
                links = []
            if isinstance(error, PermissionDenied) and self.parts.traffic.keys.required:
                links.append(("Log in with another key", LOGIN))
            back = el("p", *(join(el("a", text, href=root + path), " ") for text, path in links))
            content = render_layout(visit, (), heading, content, back)
        return Response(content, error.status, headers=HEADERS | more, media_type="text/html")

    # Routes

    def _routes_of(self, page: Page) -> Iterator[Route]:
        if page.content is not None:
            yield Route(page.path, partial(self._send_page, page), methods=["GET"])
        for (method, path), handler in page.handlers.items():
            yield Route(path, partial(self._send_part, page, handler), methods=[method])
        for path, streamer in page.streams.items():
            yield Route(path, partial(self._send_stream, page, streamer), methods=["GET"])
        for path, streamer in page.posted_streams.items():
            yield Route(path, partial(self._send_stream, page, streamer), methods=["POST"])

    def _find(self, scope: Scope) -> Route:
        allowed: set[str] = set()
        for route in self._routes:
            match, found = route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                scope["route"] = route
                return route
            if match is Match.PARTIAL:
                allowed |= route.methods or set()
        if allowed:
            raise MethodNotAllowed("this page does not take this method", allowed=sorted(allowed))
        raise NotFound("there is no such page")

    async def _go_home(self, _: Request, key: ApiKey, token: str) -> Response:
        return RedirectResponse(f"{self.parts.settings.root_path}/", 303)

    async def _send_page(self, page: Page, request: Request, key: ApiKey, token: str) -> Response:
        assert page.content is not None, "pages without content have no route"
        visit = self._begin(page, request, key, token)
        return self._finish(visit, await page.content(visit), whole=True)

    async def _send_part(self, page: Page, handler: Handler, request: Request, key: ApiKey, token: str) -> Response:
        visit = self._begin(page, request, key, token)
        return self._finish(visit, await handler(visit), whole=page is login.page)

    async def _send_stream(self, page: Page, streamer: Streamer, request: Request, key: ApiKey, token: str) -> Response:
        events = streamer(self._begin(page, request, key, token))
        return self.streams.answer(events) if request.method == "GET" else self.streams.answer(events, LONGEST_WORK_S)

    def _begin(self, page: Page, request: Request, key: ApiKey, token: str) -> Visit:
        visit = Visit(self.parts, page, key, request, token)
        if page is not login.page:
            visit.require(page.right)
        return visit

    def _finish(self, visit: Visit, content: Answer, *, whole: bool) -> Response:
        if isinstance(content, Response):
            return content
        title = visit.page.title
        if isinstance(content, Titled):
            title, content = f"{content.name} · {title}", content.content
        html: Content = render_layout(visit, self._pages, content, title=title) if whole else content
        return Response(html, headers=HEADERS, media_type="text/html")

    async def _check_token(self, request: Request) -> None:
        """Raise PermissionDenied unless a change comes from one of the visitor's pages."""
        given = request.headers.get(TOKEN_HEADER)
        if given is None and request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            field = (await request.form()).get(TOKEN_FIELD)
            given = field if isinstance(field, str) else None
        if given is None or not is_token_of(request.scope[_VISITOR], given):
            raise PermissionDenied("this page is from another session: load it again")


def find_pages() -> Iterator[Page]:
    """The ``page`` of every file in ``pages/``."""
    for module in pkgutil.iter_modules(pages.__path__):
        page = getattr(importlib.import_module(f"{pages.__name__}.{module.name}"), "page", None)
        if isinstance(page, Page):
            yield page


def _check_login_size(headers: Headers) -> None:
    """Bound the body of somebody who has not logged in. Raises TooLarge."""
    size = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not size.isdecimal() or int(size) > LARGEST_LOGIN:
        raise TooLarge(f"a login form has at most {LARGEST_LOGIN} bytes")


async def _replay(bodies: list[bytes], receive: Receive) -> Message:
    """The body that has arrived, then what the connection says."""
    if bodies:
        return {"type": "http.request", "body": bodies.pop(), "more_body": False}
    return await receive()
