"""Sessions of people who logged in with an API key, kept where state is kept: every worker and pod knows them.

A session holds the key's name and never the key. It is over after eight hours, at the logout, and as soon as the key is
no longer in the file of keys, or another key has its name.
"""

import hashlib
import hmac
from typing import Any

from reward_gateway.errors import RateLimited
from reward_gateway.state.namespace import Namespace
from reward_gateway.state.port import SessionStore
from reward_gateway.traffic.keys import ApiKey, KeyRing

from .visitors import SESSION_S, make_id

SESSIONS = 4096
"""Maximum open sessions."""

_SPACE = Namespace(":console")  # no key has a name with a colon


class Sessions:
    """The open sessions.

    Every call may raise StateUnavailable.
    """

    def __init__(self, store: SessionStore, keys: KeyRing) -> None:
        self._store = store.within(_SPACE)
        self._keys = keys

    async def open(self, key: ApiKey) -> str:
        """Begin a session; the id of its visitor. Raises RateLimited if too many are open."""
        visitor = make_id()
        session = {"key": key.name, "mark": _mark(visitor, key)}
        if await self._store.open(_name(visitor), session, SESSION_S, SESSIONS) == "full":
            raise RateLimited(f"{SESSIONS} sessions of the console are open: log out of one, or try again later")
        return visitor

    async def find(self, visitor: str) -> ApiKey | None:
        """The key of a visitor's session; None: it has none, or the key was removed."""
        session: Any = await self._store.read(_name(visitor))
        if not isinstance(session, dict):
            return None
        key = self._keys.find(session["key"])
        if key is not None and hmac.compare_digest(_mark(visitor, key), session["mark"]):
            return key
        await self._store.close(_name(visitor))
        return None

    async def close(self, visitor: str) -> None:
        """End a visitor's session."""
        await self._store.close(_name(visitor))


def _name(visitor: str) -> str:
    """Who reads the store learns no id that a browser could send."""
    return hashlib.sha256(visitor.encode()).hexdigest()


def _mark(visitor: str, key: ApiKey) -> str:
    """Tells the key from another of its name, to those who know the visitor's id."""
    return hmac.digest(visitor.encode(), key.digest, hashlib.sha256).hex()
