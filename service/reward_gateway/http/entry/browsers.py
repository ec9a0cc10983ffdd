"""Keeps web pages of others out: a browser on this machine carries their requests to a gateway that asks for no key.

Three things are checked for every path, before anything else reads the request:

1. The ``Host`` header names this gateway. A page whose own name was pointed at 127.0.0.1 (DNS rebinding) is to the
   browser a page of this gateway, but its requests still carry that name.
2. ``Origin`` and ``Sec-Fetch-Site``, which browsers set and pages cannot, name no other site.
3. A change says what a page of another site could not say without asking first (a CORS preflight, which is never
   granted): a content type that no form has, or ``X-Reward-Gateway: 1``. The console's changes carry a token instead,
   which the console checks (``console/tokens.py``).

Programs send neither ``Origin`` nor ``Sec-Fetch-*``; for them only the first applies.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from starlette.types import Scope

from reward_gateway.errors import BrowserRefused, UnsupportedMediaType
from reward_gateway.settings import Settings
from reward_gateway.traffic.keys import is_loopback

OWN_PAGE = "x-reward-gateway"
"""The header by which our own pages mark their requests."""

_OF_BROWSERS = frozenset({"origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"})
"""Headers that browsers set, and programs do not."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORM_TYPES = frozenset({"", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded"})
"""Content types that a page may send to any site; none at all is one of them."""


class HostList:
    """The names that a gateway answers to.

    Args:
        names: hosts without ports; ``*.`` before one for all names under it.
        addresses: any IP address too, which no name server can point elsewhere.
    """

    def __init__(self, names: Iterable[str], *, addresses: bool = False) -> None:
        normalised = [name.lower() for name in names]
        self._names = frozenset(name for name in normalised if not name.startswith("*."))
        self._suffixes = tuple(name[1:] for name in normalised if name.startswith("*."))
        self._addresses = addresses

    def __contains__(self, authority: str) -> bool:
        """Whether a ``host`` or ``host:port`` is on the list."""
        name = _host_name(authority)
        return name in self._names or name.endswith(self._suffixes) or (self._addresses and _is_address(name))


class BrowserCheck:
    """Refuses what a page of another site made a browser send."""

    def __init__(self, settings: Settings) -> None:
        listed = [name.strip("[]") for name in settings.allowed_hosts if name != "*"]
        loopback = is_loopback(settings.http_host)
        own = ("localhost", "127.0.0.1", "::1", settings.http_host.strip("[]"))
        checked = "*" not in settings.allowed_hosts and (loopback or bool(listed))
        self._hosts = HostList((*own, *listed), addresses=not loopback) if checked else None
        self._listed = HostList(listed)

    def check(self, scope: Scope, headers: Mapping[str, str], *, has_tokens: bool = False) -> None:
        """Refuse what another site sent.

        Args:
            has_tokens: changes at this path carry a token that only our own pages know, in place of the third check.

        Raises:
            BrowserRefused: it came from another site, or by a name that is not ours.
            UnsupportedMediaType: a change has the content type of a form.
        """
        host = headers.get("host")
        if self._hosts is not None and host is not None and host not in self._hosts:
            raise BrowserRefused(_FOREIGN_HOST)
        if not _OF_BROWSERS.isdisjoint(headers):
            self._check_browser(scope["method"], scope["scheme"], headers, has_tokens)

    def _check_browser(self, method: str, scheme: str, headers: Mapping[str, str], has_tokens: bool) -> None:
        site = headers.get("sec-fetch-site", "none")
        origin = headers.get("origin")
        if origin is None:
            foreign = site not in ("same-origin", "none") and not _opens_page(method, headers)
        elif origin == "null":  # also what a form on a page with `Referrer-Policy: no-referrer` sends
            foreign = site != "same-origin"
        else:
            foreign = site not in ("same-origin", "none") or not self._is_own(origin, scheme, headers.get("host", ""))
        if foreign:
            raise BrowserRefused(_FOREIGN_SITE)
        if has_tokens or method in _SAFE or headers.get(OWN_PAGE) == "1":
            return
        if headers.get("content-length", "0").strip() in ("", "0") and "transfer-encoding" not in headers:
            raise BrowserRefused("a request from a browser that changes something needs X-Reward-Gateway: 1")
        if headers.get("content-type", "").partition(";")[0].strip().lower() in _FORM_TYPES:
            raise UnsupportedMediaType(
                "a request from a browser needs the content type of its body, such as application/json, or "
                "X-Reward-Gateway: 1"
            )

    def _is_own(self, origin: str, scheme: str, host: str) -> bool:
        """Whether an origin is the address that the request went to, or one that the operator named."""
        its_scheme, _, authority = origin.lower().partition("://")
        if scheme == "https" and its_scheme != "https":
            return False
        return authority == host.lower() or authority in self._listed


def _opens_page(method: str, headers: Mapping[str, str]) -> bool:
    """Whether somebody followed a link: the page replaces the other site's, which cannot read it."""
    mode, destination = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    return method in ("GET", "HEAD") and mode == "navigate" and destination == "document"


_AUTHORITY = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[^\[\]:]*))(?::[0-9]*)?|(?P<bare>[0-9a-f:.]+)")


@lru_cache(maxsize=256)  # a server has few names
def _host_name(authority: str) -> str:
    """The host of a ``host`` or ``host:port``, lower case, without brackets and without a final dot; else all of it."""
    authority = authority.strip().lower()
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        return authority
    return parts["address"] or parts["bare"] or (parts["name"] or "").removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


_FOREIGN_HOST = (
    "the Host header names another host than this gateway: use http://127.0.0.1 or http://localhost, or name the host "
    "in REWARD_GATEWAY_ALLOWED_HOSTS (--allowed-hosts)"
)
_FOREIGN_SITE = (
    "the request comes from a page of another site: only this gateway's own pages may send requests from a browser; if "
    "it is reached by another name, list that in REWARD_GATEWAY_ALLOWED_HOSTS (--allowed-hosts)"
)
