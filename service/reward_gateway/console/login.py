"""The login: an API key for a session; and the limit on wrong ones."""

import structlog
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.responses import RedirectResponse, Response

from reward_gateway.errors import RateLimited, Unauthenticated
from reward_gateway.guide.site import is_documentation
from reward_gateway.pages.html import Html, el
from reward_gateway.traffic.keys import KeyRing

from .addresses import VisitorAddress
from .page import Page, Visit
from .sessions import Sessions
from .visitors import SESSION_S, TOKEN_FIELD, VisitorCookie
from .widgets import render_note

log = structlog.get_logger(__name__)

LOGIN, LOGOUT = "/console/login", "/console/logout"

WRONG_KEYS = "10/minute"
"""How many wrong keys an address may send to one process."""

page = Page("login", "Log in", path=LOGIN)


class Login:
    """Opens and closes sessions."""

    def __init__(self, keys: KeyRing, sessions: Sessions, cookie: VisitorCookie, addresses: VisitorAddress) -> None:
        self._keys = keys
        self._sessions = sessions
        self._cookie = cookie
        self._addresses = addresses
        self._wrong = MovingWindowRateLimiter(MemoryStorage())
        self._rate = parse(WRONG_KEYS)

    async def log_in(self, visit: Visit) -> Html | Response:
        """Answer the login form: a session and the page that was wanted, or the form again."""
        form = await visit.form()
        address = self._addresses.find(visit.request)
        if not self._wrong.test(self._rate, address):
            log.warning("console_login_limited", address=address, once_per=address)
            raise RateLimited("too many wrong keys came from this address: wait a minute", retry_after_s=60)
        wanted = form.get("next")
        target = wanted if isinstance(wanted, str) and is_own_path(wanted) else "/"
        given = form.get("key")
        try:
            key = self._keys.authenticate(given.strip() if isinstance(given, str) else None)
        except Unauthenticated:
            self._wrong.hit(self._rate, address)
            log.warning("console_login_refused", address=address)
            return render_login(visit, target, wrong=True)
        visitor = await self._sessions.open(key)
        log.info("console_login", key=key.name, address=address)
        response = RedirectResponse(visit.link_to(target), 303)
        self._cookie.write(response, visit.request.scope, visitor, SESSION_S)
        return response

    async def log_out(self, visit: Visit) -> Response:
        """End the session of this browser."""
        if (visitor := self._cookie.read(visit.request.scope)) is not None:
            await self._sessions.close(visitor)
        response = RedirectResponse(visit.link_to(LOGIN), 303)
        self._cookie.write(response, visit.request.scope, "", 0)
        return response


def is_own_path(path: str) -> bool:
    """Whether a path is one of a page here, and nothing that leads elsewhere."""
    own = path == "/" or path.startswith("/console/") or is_documentation(path)
    return own and "\\" not in path and "//" not in path


def render_login(visit: Visit, target: str, *, wrong: bool = False) -> Html:
    """The form. ``target``: the page to go on to."""
    settings = visit.parts.settings
    lone = settings.workers > 1 and not settings.state_store_url
    return el(
        "form",
        el("h1", "Log in"),
        el("p", "Use an API key of this gateway. The session ends after eight hours.", class_="lead"),
        render_note("This is no key of this gateway.", kind="error") if wrong else None,
        render_note(
            f"Sessions are kept by one of {settings.workers} processes, since there is no Redis: the others will ask "
            "again. Set REWARD_GATEWAY_STATE_REDIS_URL, or use one worker.",
            kind="warning",
        )
        if lone
        else None,
        el("input", type="hidden", name=TOKEN_FIELD, value=visit.token),
        el("input", type="hidden", name="next", value=target),
        el("label", "API key", for_="key"),
        el(
            "input",
            type="password",
            id="key",
            name="key",
            required=True,
            autofocus=True,
            autocomplete="current-password",
            aria_invalid="true" if wrong else None,
        ),
        el("button", "Log in", type="submit", class_="primary"),
        method="post",
        action=visit.link_to(LOGIN),
        class_="login",
    )


@page.show
async def show(visit: Visit) -> Html | Response:
    """The form, for a browser without a session."""
    if not visit.parts.traffic.keys.required:
        return RedirectResponse(visit.link_to("/"), 303)
    wanted = visit.request.query_params.get("next", "/")
    return render_login(visit, wanted if is_own_path(wanted) else "/")
