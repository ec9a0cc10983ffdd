"""Where an episode of a one-step environment is kept: in the caller's sessions, or with its WebSocket."""

from typing import Any, Protocol

import msgspec
from msgspec import Struct

from reward_gateway.errors import Conflict, InvalidRequest, NotFound, RateLimited
from reward_gateway.intake.limits import InputLimits
from reward_gateway.state.port import SessionStore

from ..websocket import WebSocketSession
from .environments import SESSION_S, EnvironmentTask

ID = "episode_id"


class Episode(Struct, omit_defaults=True):
    """A task, and whether it has been answered."""

    task: EnvironmentTask
    answered: bool = False
    name: str = ""


class Episodes(Protocol):
    """The episodes that a request may know."""

    async def begin(self, episode: Episode) -> None:
        """Keep a new episode, in place of one of the same name. Raises GatewayError if there is no room for it."""

    async def find(self, name: Any) -> Episode:
        """The episode of a name that a client sent. Raises GatewayError if there is none."""

    async def end(self, episode: Episode) -> None:
        """Note that an episode has been answered."""


class StoredEpisodes:
    """Episodes of a caller in its sessions, which every worker and pod knows.

    Args:
        most: maximum sessions of the caller.
        limits: those of a name.
    """

    def __init__(self, sessions: SessionStore, most: int, limits: InputLimits) -> None:
        self._sessions = sessions
        self._most = most
        self._limits = limits

    async def begin(self, episode: Episode) -> None:
        """Raises TooLarge or RateLimited."""
        key = self._key(episode.name)
        await self._sessions.close(key)
        if await self._sessions.open(key, msgspec.to_builtins(episode), SESSION_S, self._most) == "full":
            raise RateLimited(f"{self._most} sessions are open: wait until one is over")

    async def find(self, name: Any) -> Episode:
        """Raises InvalidRequest without a name, and NotFound if it is over or another caller's."""
        if not isinstance(name, str) or not name:
            raise InvalidRequest("episode_id: missing field; reset gives it", param=ID)
        held = await self._sessions.read(self._key(name))
        if held is None:
            raise NotFound("there is no episode of this id; it is over, or was never begun", param=ID)
        return msgspec.structs.replace(msgspec.convert(held, Episode), name=name)

    async def end(self, episode: Episode) -> None:
        await self._sessions.replace(self._key(episode.name), msgspec.to_builtins(episode), SESSION_S)

    def _key(self, name: str) -> str:
        self._limits.name(len(name), ID)
        return f"openenv:{name}"


class WebSocketEpisodes:
    """The one episode of a WebSocket, which is over with it, and which nobody else knows."""

    def __init__(self, session: WebSocketSession, limits: InputLimits) -> None:
        self._session = session
        self._limits = limits

    @property
    def is_begun(self) -> bool:
        """Whether there is an episode."""
        return bool(self._session.kept)

    async def begin(self, episode: Episode) -> None:
        """Raises TooLarge or Overloaded."""
        self._limits.name(len(episode.name), ID)
        self._session.keep(msgspec.json.encode(episode))

    async def find(self, name: Any) -> Episode:
        """Raises Conflict before the first episode, and NotFound for the name of another one."""
        if not self.is_begun:
            raise Conflict("there is no episode yet: send reset first")
        episode = msgspec.json.decode(self._session.kept, type=Episode)
        if name is not None and name != episode.name:
            raise NotFound("this WebSocket plays another episode", param=ID)
        return episode

    async def end(self, episode: Episode) -> None:
        self._session.keep(msgspec.json.encode(episode))
