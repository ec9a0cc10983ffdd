"""A page of the console: a file in ``pages/`` with a ``page``, whose decorators say what answers.

page = Page("try", "Try", order=1)

@page.show                      # GET /console/try: the content of the page, in the console's layout
async def show(visit: Visit) -> Html: ...

@page.post("score")             # POST /console/try/score: a fragment; the token of the page was checked
async def score(visit: Visit) -> Html: ...

@page.stream("events")          # GET /console/try/events: server-sent events, each a fragment
async def events(visit: Visit) -> AsyncGenerator[Event, None]: ...

@page.post_stream("run")        # POST /console/try/run: the same for what takes a body and long; a script reads it
async def run(visit: Visit) -> AsyncGenerator[Event, None]: ...
"""

import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.admin.models import ModelAdmin
from reward_gateway.admin.stores import StoreWatch
from reward_gateway.errors import InvalidRequest
from reward_gateway.gateway import Gateway
from reward_gateway.intake.score_intake import ScoreIntake
from reward_gateway.kept_samples.keeper import SampleKeeper
from reward_gateway.pages.html import Html
from reward_gateway.runs.history import RunHistory
from reward_gateway.settings import Settings
from reward_gateway.telemetry.telemetry import Telemetry
from reward_gateway.traffic.guard import Traffic
from reward_gateway.traffic.keys import ApiKey, Right, require_right

from .activity import Activity
from .assets import Assets
from .streams import Events


@dataclass(frozen=True, slots=True)
class Parts:
    """What the pages show and use: the parts that the API uses."""

    gateway: Gateway
    settings: Settings
    telemetry: Telemetry
    traffic: Traffic
    intake: ScoreIntake
    model_admin: ModelAdmin
    stores: StoreWatch
    runs: RunHistory | None
    assets: Assets
    activity: Activity
    samples: SampleKeeper | None


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a browser.

    Attributes:
        key: whose request it is.
        token: what a change carries; forms hold it in the field ``csrf``, htmx sends it by itself.
    """

    parts: Parts
    page: "Page"
    key: ApiKey
    request: Request
    token: str

    def link_to(self, path: str) -> str:
        """A path of this gateway, as the browser has to ask for it."""
        return self.parts.settings.root_path + path

    def asset(self, name: str) -> str:
        """The address of a script or style."""
        return self.link_to(self.parts.assets.link_to(name))

    def has_right(self, right: Right) -> bool:
        """Whether the visitor's key has a right."""
        return self.key.has_right(right)

    def require(self, right: Right) -> None:
        """Raise PermissionDenied unless the visitor's key has the right."""
        require_right(self.key, right)

    @property
    def origin(self) -> str:
        """The address under which the browser reaches this gateway, without a path at its end."""
        headers = self.request.headers
        scheme = headers.get("x-forwarded-proto", self.request.url.scheme).partition(",")[0].strip()
        host = headers.get("host") or "localhost"
        return f"{'https' if scheme == 'https' else 'http'}://{host}{self.parts.settings.root_path}"

    async def form(self) -> FormData:
        """The fields of a form that was sent; its files stay in memory. Raises InvalidRequest if it is no form."""
        limits = {"max_files": 1024, "max_fields": 4096}
        largest = self.parts.settings.max_body_bytes
        request = self.request
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            return await request.form(**limits, max_part_size=largest)
        parser = _InMemoryParser(request.headers, request.stream(), **limits, max_part_size=largest)
        try:
            return await parser.parse()
        except MultiPartException as error:
            raise InvalidRequest(f"the form cannot be read: {error.message}") from None


class _InMemoryParser(MultiPartParser):
    spool_max_size = sys.maxsize  # what somebody sends is never written to a disk


@dataclass(frozen=True, slots=True)
class Titled:
    """The content of a page that is about one thing, whose name stands before the page's in the window's title."""

    name: str
    content: Html


Answer = Html | Response | Titled
Handler = Callable[[Visit], Coroutine[Any, Any, Answer]]
Streamer = Callable[[Visit], Events]
H = TypeVar("H", bound=Callable[[Visit], Any])


class Page:
    """A page, and the parts of it that are asked for by themselves.

    Args:
        name: the last segment of its path, ``/console/NAME``.
        title: in the navigation and the window.
        order: its place in the navigation; None: it is not there.
        right: who may see it.
        scripts: modules of ``static/`` that it loads, beside those of every page.
        styles: style sheets of ``static/``, likewise.
        path: where it is, if not at ``/console/NAME``.
    """

    def __init__(
        self,
        name: str,
        title: str,
        *,
        order: int | None = None,
        right: Right = "score",
        scripts: tuple[str, ...] = (),
        styles: tuple[str, ...] = (),
        path: str | None = None,
    ) -> None:
        self.name, self.title, self.order, self.right = name, title, order, right
        self.scripts, self.styles = scripts, styles
        self.path = path or f"/console/{name}"
        self.content: Callable[[Visit], Awaitable[Answer]] | None = None
        self.handlers: dict[tuple[str, str], Handler] = {}
        self.streams: dict[str, Streamer] = {}
        self.posted_streams: dict[str, Streamer] = {}

    def show(self, handler: H) -> H:
        """What the page holds."""
        self.content = handler
        return handler

    def get(self, part: str) -> Callable[[H], H]:
        """A fragment of the page, or a file."""
        return self._register("GET", part)

    def post(self, part: str) -> Callable[[H], H]:
        """A change, or what takes a body; answered with a fragment."""
        return self._register("POST", part)

    def stream(self, part: str) -> Callable[[H], H]:
        """A stream of events."""

        def register(handler: H) -> H:
            self.streams[self._path_of(part)] = handler
            return handler

        return register

    def post_stream(self, part: str) -> Callable[[H], H]:
        """What takes a body and long: its answer is a stream of events, and whoever leaves it cancels the work."""

        def register(handler: H) -> H:
            self.posted_streams[self._path_of(part)] = handler
            return handler

        return register

    def _register(self, method: str, part: str) -> Callable[[H], H]:
        def register(handler: H) -> H:
            self.handlers[method, self._path_of(part)] = handler
            return handler

        return register

    def _path_of(self, part: str) -> str:
        return f"/console/{self.name}/{part}"
