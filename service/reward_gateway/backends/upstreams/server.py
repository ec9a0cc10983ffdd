"""Reward models on upstream servers; rows of concurrent requests are coalesced into few calls."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import structlog

from reward_gateway.backends.coalescer import CallAnswer, CallFailed, Coalescer
from reward_gateway.backends.encoded_rows import Piece
from reward_gateway.backends.port import Device, ModelAnswer, ModelInfo
from reward_gateway.errors import NotFound
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.sample import Batch, Invalid, split_version

from .config import UpstreamConfig
from .failures import Refused, ReplicaFailed
from .identity import Told, ask_identity, name_version, probe_questions
from .protocols import PROTOCOLS, RowAnswers
from .replica import Breaker, Replica
from .replicas import Replicas
from .rows import QuestionEncoder, QuestionRows, inputs_of

log = structlog.get_logger(__name__)

LOOK_S = 5.0
"""How often replicas are asked for their version, while they answer."""

LOOK_AGAIN_S = 1.0
"""The same, of replicas that do not."""


class Upstream:
    """One entry of the file.

    Args:
        info: its model, as far as it is known.
    """

    def __init__(
        self, name: str, config: UpstreamConfig, make_breaker: Callable[[], Breaker], observer: Observer
    ) -> None:
        self.name = name
        self.config = config
        self._protocol = PROTOCOLS[config.protocol](config)
        self._encoder = QuestionEncoder(config)
        self._probes = probe_questions(self._encoder.encode, config)
        self._replicas = Replicas(name, config, lambda url: Replica(name, url, config, make_breaker, observer))
        self._told: dict[str, Told] = {}
        self._fault = Invalid("model_unavailable", f"{name} has not answered yet; try again later.")
        self._current: Told | None = None
        self.info = ModelInfo(
            name=name,
            version="",
            ready=False,
            inputs=inputs_of(config),
            dimensions=config.dimensions,
            max_batch=config.limits.batch if self._protocol.batches else 1,
            vector=config.vector,
            card={"protocol": config.protocol, "model": config.model, "upstream": True},
            device=Device("upstream", instances=config.limits.in_flight),
        )
        self._coalescer: Coalescer[UpstreamConfig, QuestionRows] = Coalescer(
            name,
            self._encoder.encode,
            self._send,
            max_calls=config.limits.in_flight,
            max_queued=65_536,
            max_in_flight_s=config.limits.timeout_s,
            observer=observer,
        )
        self._looked = asyncio.Event()
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def wait_until_known(self, seconds: float) -> None:
        """Wait until the replicas have been asked once."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._looked.wait(), seconds)

    async def score(self, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        width = len(self.config.dimensions)
        if not self.info.ready:
            return ModelAnswer(np.full((len(rows), width), np.nan), dict.fromkeys(range(len(rows)), self._fault))
        return await self._coalescer.score(
            self.config,
            batch,
            rows,
            width=width,
            deadline=deadline,
            max_rows=self.info.max_batch,
            instances=self.config.limits.in_flight,
        )

    async def _send(self, pieces: Sequence[Piece[QuestionRows]], deadline: float) -> CallAnswer:
        questions = [question for rows, start, stop in pieces for question in rows.questions[start:stop]]

        async def ask(replica: Replica, timeout_s: float) -> RowAnswers:
            return await self._protocol.ask(replica, questions, timeout_s)

        try:
            answers, _replica = await self._replicas.call(ask, deadline)
        except ReplicaFailed as failure:
            raise CallFailed(failure.reason, divisible=False) from None
        except Refused as refusal:
            divisible = refusal.rows or (refusal.reason.code == "model_error" and len(questions) > 1)
            raise CallFailed(refusal.reason, divisible=divisible) from None
        return CallAnswer(answers.values, self.info.version, answers.invalid, vectors=answers.vectors)

    async def _watch(self) -> None:
        """Ask the replicas for their version, again and again."""
        while True:
            try:
                await self._replicas.resolve()
                await asyncio.gather(*(self._look_at(replica) for replica in list(self._replicas.all.values())))
                self._settle_version()
            except Exception as error:  # whatever a server says, it is asked again
                log.error("upstream_look_failed", upstream=self.name, error=type(error).__name__, once_per=self.name)
            self._looked.set()
            well = len(self._told) == len(self._replicas.all)
            await asyncio.sleep(LOOK_S if well else LOOK_AGAIN_S)

    async def _look_at(self, replica: Replica) -> None:
        ticket = replica.begin()
        if ticket is None:
            self._told.pop(replica.url, None)
            return
        answered = False
        try:
            self._told[replica.url] = await ask_identity(replica, self._protocol, self._probes)
            answered = True
        except ReplicaFailed as failure:
            answered = failure.busy
            if not failure.busy:
                self._told.pop(replica.url, None)
                self._fault = failure.reason
        finally:
            replica.finish(ticket, answered=answered)

    def _settle_version(self) -> None:
        """The version that all replicas that answer have; none if they differ."""
        told = {url: words for url, words in self._told.items() if url in self._replicas.all}
        if not told:
            self.info = replace(self.info, ready=False)
            return
        first_url, first = next(iter(told.items()))
        other = next((url for url, words in told.items() if not words.matches(first)), None)
        if other is not None and not self.config.version:
            versions = ", ".join(f"{url} {name_version(self.config, told[url])}" for url in (first_url, other))
            self._fault = Invalid(
                "model_unavailable", f"The servers of {self.name} differ in their weights: {versions}."
            )
            self.info = replace(self.info, ready=False)
            return
        if self._current is None or not self._current.matches(first):
            self._current = first
            log.info("upstream_version", upstream=self.name, version=name_version(self.config, first))
        version = name_version(self.config, self._current)
        self.info = replace(self.info, ready=True, version=version, versions=(version,))

    async def close(self) -> None:
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        await self._coalescer.close()
        await self._replicas.close()


class UpstreamServer:
    """Implements :class:`reward_gateway.backends.port.ModelServer` over all upstreams. Create it on the running loop.

    Args:
        configs: the entries of the file, by name.
        make_breaker: makes the circuit breaker of one replica.
    """

    def __init__(
        self,
        configs: Mapping[str, UpstreamConfig],
        make_breaker: Callable[[], Breaker],
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._make_breaker = make_breaker
        self._observer = observer
        self._upstreams = {name: self._open(name, config) for name, config in configs.items()}

    def _open(self, name: str, config: UpstreamConfig) -> Upstream:
        return Upstream(name, config, self._make_breaker, self._observer)

    def __contains__(self, name: str) -> bool:
        return split_version(name)[0] in self._upstreams

    async def replace(self, configs: Mapping[str, UpstreamConfig]) -> None:
        """Take over a changed file; entries that are gone or changed finish their calls."""
        leaving: list[Upstream] = []
        for name, upstream in list(self._upstreams.items()):
            if configs.get(name) != upstream.config:
                leaving.append(self._upstreams.pop(name))
        for name, config in configs.items():
            if name not in self._upstreams:
                self._upstreams[name] = self._open(name, config)
        await asyncio.gather(*(upstream.close() for upstream in leaving))

    async def models(self) -> list[ModelInfo]:
        await asyncio.gather(*(upstream.wait_until_known(2.0) for upstream in self._upstreams.values()))
        return [upstream.info for upstream in self._upstreams.values()]

    async def info(self, name: str) -> ModelInfo:
        return (await self._find(name)).info

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        return await (await self._find(name)).score(batch, rows, deadline)

    async def close(self) -> None:
        await asyncio.gather(*(upstream.close() for upstream in self._upstreams.values()))

    async def _find(self, name: str) -> Upstream:
        base, version = split_version(name)
        upstream = self._upstreams.get(base)
        if upstream is None:
            raise NotFound(f"There is no upstream '{base}'.")
        await upstream.wait_until_known(2.0)
        if version and version != upstream.info.version:
            raise NotFound(f"The upstream '{base}' serves no version {version} (it serves: {upstream.info.version}).")
        return upstream
