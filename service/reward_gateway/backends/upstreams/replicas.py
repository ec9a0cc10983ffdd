"""The copies of an upstream: the one with the fewest calls in flight is asked, and another if it does not answer."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import structlog

from reward_gateway.sample import Invalid

from .config import UpstreamConfig
from .failures import ReplicaFailed
from .replica import Replica

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Replicas:
    """Chooses replicas.

    Args:
        make: makes the client of an address.
    """

    def __init__(self, name: str, config: UpstreamConfig, make: Callable[[str], Replica]) -> None:
        self._name = name
        self._config = config
        self._make = make
        self._turn = 0
        self.all: dict[str, Replica] = {url: make(url) for url in config.urls}
        self._leaving: set[asyncio.Task[None]] = set()

    async def resolve(self) -> None:
        """Look the addresses of ``dns`` up again; replicas that have gone finish their calls."""
        if self._config.dns is None:
            return
        found = await resolve_addresses(self._config.dns)
        if not found:
            return  # a name server that fails takes no replica away
        for url in set(found) - self.all.keys():
            self.all[url] = self._make(url)
        for url in [url for url in self.all if url not in found]:
            self.drain(self.all.pop(url))

    def drain(self, replica: Replica) -> None:
        """Close a replica once its calls are answered."""

        async def close_later() -> None:
            await replica.wait_until_idle()
            await replica.close()

        task = asyncio.get_running_loop().create_task(close_later())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def call(self, ask: Callable[[Replica, float], Awaitable[T]], deadline: float) -> tuple[T, Replica]:
        """What a replica answers, and which; a call that fails goes once to another if there is time.

        Raises:
            ReplicaFailed: no replica answered.
            Refused: one did, and refuses the call.
        """
        loop = asyncio.get_running_loop()
        tried: list[Replica] = []
        failure: ReplicaFailed | None = None
        while len(tried) < 2 and (chosen := self._choose(tried)) is not None:
            replica, ticket = chosen
            tried.append(replica)
            left = min(self._config.limits.timeout_s, deadline - loop.time())
            if left <= 0:
                replica.finish(ticket, answered=True)
                break
            answered = False
            replica.take()
            try:
                answer = await ask(replica, left)
                answered = True
                return answer, replica
            except ReplicaFailed as error:
                answered, failure = error.busy, error
            except asyncio.CancelledError:
                answered = True  # a caller that leaves proves no fault
                raise
            except Exception:
                answered = True  # it answered, and what it says is no use
                raise
            finally:
                replica.release()
                replica.finish(ticket, answered=answered)
        raise failure or ReplicaFailed(
            Invalid("model_unavailable", f"No server of {self._name} answers at the moment; try again later.")
        )

    def _choose(self, tried: list[Replica]) -> tuple[Replica, int] | None:
        """The replica with the fewest calls in flight among those that are called, in turn among equals."""
        self._turn += 1
        order = list(self.all.values())
        start = self._turn % max(1, len(order))
        rotated = order[start:] + order[:start]
        for replica in sorted(rotated, key=lambda r: r.in_flight):
            if replica not in tried and (ticket := replica.begin()) is not None:
                return replica, ticket
        return None

    async def close(self) -> None:
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await asyncio.gather(*(replica.close() for replica in self.all.values()))


async def resolve_addresses(url: str) -> list[str]:
    """The address with each IP address that its host's name has now, sorted; empty if the name is not found."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    hosts = sorted({str(ipaddress.ip_address(str(entry[4][0]).partition("%")[0])) for entry in found})
    return [
        urlunsplit((parts.scheme, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", parts.path, "", ""))
        for host in hosts
    ]
