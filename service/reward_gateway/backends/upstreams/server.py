"""Reward models on upstream servers, behind the port that Triton has, too."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.errors import NotFound
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.sample import Batch, split_version

from ..breaker import MakeBreaker
from .config import UpstreamConfig
from .upstream import Upstream

KNOWN_S = 2.0
"""How long a call waits until the servers of a new entry have said what they are."""

CHANGED_S = 5.0
"""How long a changed entry is answered as before, until the servers of its new form have said what they are."""


class UpstreamServer:
    """Implements :class:`reward_gateway.backends.port.ModelServer` over all upstreams. Create it on the running loop.

    Args:
        configs: the entries of the file, by name.
        make_breaker: makes the circuit breaker of one replica.
    """

    def __init__(
        self,
        configs: Mapping[str, UpstreamConfig],
        make_breaker: MakeBreaker,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._make_breaker = make_breaker
        self._observer = observer
        self._upstreams = {name: self._open(name, config) for name, config in configs.items()}
        self._leaving: set[asyncio.Task[None]] = set()
        self._replacing = asyncio.Lock()

    def _open(self, name: str, config: UpstreamConfig) -> Upstream:
        return Upstream(name, config, self._make_breaker, self._observer)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and split_version(name)[0] in self._upstreams

    async def replace(self, configs: Mapping[str, UpstreamConfig]) -> None:
        """Take over a changed file: entries that are gone or changed finish what they are scoring."""
        async with self._replacing:
            changed = {
                name: self._open(name, config)
                for name, config in configs.items()
                if name not in self._upstreams or self._upstreams[name].config != config
            }
            await asyncio.gather(*(upstream.wait_until_known(CHANGED_S) for upstream in changed.values()))
            for name in [name for name in self._upstreams if name in changed or name not in configs]:
                task = asyncio.get_running_loop().create_task(self._upstreams[name].drain())
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)
            self._upstreams = {name: changed.get(name) or self._upstreams[name] for name in configs}

    def list_pools(self) -> list[str]:
        """The upstreams that may have no server."""
        return [name for name, upstream in self._upstreams.items() if upstream.config.cold_start_s is not None]

    async def models(self) -> list[ModelInfo]:
        upstreams = list(self._upstreams.values())
        await asyncio.gather(*(upstream.wait_until_known(KNOWN_S) for upstream in upstreams))
        return [upstream.info for upstream in upstreams]

    async def info(self, name: str) -> ModelInfo:
        info = (await self._find(name)).info
        pinned = bool(split_version(name)[1])  # this version and no other
        return replace(info, name=name, fallback="" if pinned else info.fallback)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        return await (await self._find(name)).score(batch, rows, deadline)

    async def close(self) -> None:
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await asyncio.gather(*(upstream.close() for upstream in self._upstreams.values()))

    async def _find(self, name: str) -> Upstream:
        base, version = split_version(name)
        upstream = self._upstreams.get(base)
        if upstream is None:
            raise NotFound(f"There is no upstream '{base}'.")
        await upstream.wait_until_known(KNOWN_S)
        if version and not upstream.info.version.startswith(version):
            serves = upstream.info.version or "none that is known"
            raise NotFound(f"The upstream '{base}' serves no version {version} (it serves: {serves}).")
        return upstream
