"""Connections that look up their server when they are opened, and leave it when it is no longer the master."""

from typing import Any

from redis.asyncio.connection import Connection, SSLConnection
from redis.exceptions import ClusterDownError, MovedError, ReadOnlyError
from redis.exceptions import ConnectionError as Unreached

from .finders import Finder


class FollowingConnection(Connection):
    """A connection to the server that a finder names.

    A server that was demoted, or has given its slot away, refuses; the connection is then closed, as if the server had
    gone, and the next one that is opened goes to the new master.
    """

    def __init__(self, *, finder: Finder, **options: Any) -> None:
        super().__init__(**options)
        self._finder = finder

    async def _connect(self) -> None:
        self.host, self.port = await self._finder.find()
        await super()._connect()  # type: ignore[no-untyped-call]

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        await super().on_connect_check_health(check_health=check_health)
        if self._finder.checks_role:
            await self.send_command("ROLE", check_health=False)
            role = (await self.read_response())[0]
            if role not in (b"master", "master"):
                await self.disconnect(nowait=True)
                raise Unreached("the server that the Sentinels name is no master yet")

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*arguments, **options)
        except (ReadOnlyError, MovedError, ClusterDownError) as error:
            await self.disconnect(nowait=True)
            raise Unreached(f"the server has no longer got these keys ({type(error).__name__})") from None


class FollowingTlsConnection(FollowingConnection, SSLConnection):
    """The same over TLS."""
