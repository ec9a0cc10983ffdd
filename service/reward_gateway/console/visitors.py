"""Who looks at the console: a browser, known by a cookie with a random id, and the session that it may have.

The id is secret: scripts of pages cannot read the cookie, and no other site's page makes a browser send it. What our
own pages send with each change is computed from it, so that nothing has to be stored for browsers without a session.
"""

import hashlib
import hmac
import secrets

from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from reward_gateway.settings import Settings

SESSION_S = 8 * 3600
"""Seconds after which a session is over."""

TOKEN_HEADER, TOKEN_FIELD = "x-csrf-token", "csrf"


def make_id() -> str:
    """A new id that nobody can guess."""
    return secrets.token_urlsafe(32)


def token_for(visitor: str) -> str:
    """What the pages of a visitor send with each change."""
    return hmac.digest(visitor.encode(), b"change", hashlib.sha256).hex()


def is_token_of(visitor: str, given: str) -> bool:
    """Whether a change comes from a page of this visitor."""
    return hmac.compare_digest(token_for(visitor).encode(), given.encode())


class VisitorCookie:
    """The cookie with a visitor's id. Its name has the port: browsers show all ports of a host the same cookies."""

    def __init__(self, settings: Settings) -> None:
        self._name = f"reward_gateway_{settings.http_port}"
        self._path = settings.root_path or "/"
        self._encrypted = settings.tls_certificate is not None

    def read(self, scope: Scope) -> str | None:
        """The visitor's id; None: it has none yet."""
        for name, value in scope["headers"]:
            if name == b"cookie":
                # Starlette's takes what browsers send: one strange cookie of another service here hides none of ours.
                visitor = cookie_parser(value.decode("latin-1")).get(self._name, "")
                if 0 < len(visitor) <= 64:
                    return visitor
        return None

    def write(self, response: Response, scope: Scope, visitor: str, max_age: int | None = None) -> None:
        """Give the visitor its id; without an age until the browser is closed."""
        response.set_cookie(
            self._name,
            visitor,
            max_age=max_age,
            path=self._path,
            secure=self._encrypted or _is_encrypted(scope),
            httponly=True,
            samesite="strict",
        )


def _is_encrypted(scope: Scope) -> bool:
    """Whether the browser speaks TLS, perhaps to a proxy, which its form's ``Origin`` tells."""
    origin = next((value for name, value in scope["headers"] if name == b"origin"), b"")
    return scope["scheme"] == "https" or origin.startswith(b"https://")
