"""The Triton servers that are there now: fixed addresses, and names whose servers join and leave."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import structlog

from reward_gateway.backends.followed_name import FollowedName, Resolve
from reward_gateway.backends.triton.server import TritonServer

log = structlog.get_logger(__name__)

KNOWN_S = 2.0
"""How long a call waits for the first look-up of every name."""

DNS = "dns:///"
SCHEME = "grpc://"

OpenServer = Callable[[str, str, Callable[[], bool]], TritonServer]
"""Opens the server at an address, with its label in metrics, and what says whether there are others."""


class Members:
    """Create it on the running loop.

    Args:
        urls: ``host:port`` or ``dns:///host:port``.

    Attributes:
        all: the servers, in the order of the addresses.
    """

    def __init__(self, urls: Sequence[str], open_server: OpenServer, resolve: Resolve) -> None:
        self._open_server = open_server
        self._fixed = [self._open(url, url) for url in urls if not is_followed(url)]
        self._names = [FollowedName(SCHEME + host_of(url), resolve) for url in urls if is_followed(url)]
        self._of_name: dict[str, dict[str, TritonServer]] = {name.url: {} for name in self._names}
        self.all: tuple[TritonServer, ...] = tuple(self._fixed)
        self._unknown = len(self._names)
        self._known = asyncio.Event()
        if not self._names:
            self._known.set()
        loop = asyncio.get_running_loop() if self._names else None
        self._following = [loop.create_task(self._follow(name)) for name in self._names] if loop is not None else []
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def any_empty(self) -> bool:
        """Whether a name has no address now."""
        return not all(self._of_name.values())

    def explain_empty(self) -> str:
        """Which names have no address."""
        hosts = (url.removeprefix(SCHEME).rpartition(":")[0] for url, servers in self._of_name.items() if not servers)
        return f"No Triton server has the name {' or '.join(hosts)} at the moment."

    async def wait_until_known(self) -> None:
        """Wait until every name has been looked up once, or some seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._known.wait(), KNOWN_S)

    async def close(self) -> None:
        """Close every connection, of those that leave, too."""
        tasks = [*self._following, *self._leaving]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(server.close() for server in self.all))

    def _open(self, url: str, label: str) -> TritonServer:
        return self._open_server(url, label, lambda: len(self.all) > 1)

    async def _follow(self, name: FollowedName) -> None:
        first = True
        while True:
            try:
                if await name.refresh():
                    self._update(name)
            except Exception as error:
                log.error("triton_not_resolved", name=name.url, exc_info=error, once_per=name.url)
            if first:
                first = False
                self._unknown -= 1
                if not self._unknown:
                    self._known.set()
            await asyncio.sleep(name.pause_s)

    def _update(self, name: FollowedName) -> None:
        """Open servers that have joined, and close those that have left once their calls are answered."""
        servers = self._of_name[name.url]
        for url in [url for url in servers if url not in name.addresses]:
            leaving = servers.pop(url)
            task = asyncio.get_running_loop().create_task(leaving.drain())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
        for url in [url for url in name.addresses if url not in servers]:
            label = name.make_label({server.label for server in servers.values()})
            servers[url] = self._open(url.removeprefix(SCHEME), label)
            servers[url].look_soon()
        followed = (server for servers in self._of_name.values() for server in servers.values())
        self.all = (*self._fixed, *followed)
        log.info("triton_servers_changed", name=name.url.removeprefix(SCHEME), servers=len(servers))


def is_followed(url: str) -> bool:
    """Whether an address of ``triton_url`` stands for every address of its name."""
    return url.startswith(DNS)


def host_of(url: str) -> str:
    """``host:port`` of ``dns:///host:port``."""
    return url.removeprefix(DNS)
