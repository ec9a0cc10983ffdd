"""One entry of the file: its replicas, what they are, and the calls about rows of concurrent requests."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import numpy as np
import structlog

from reward_gateway.backends.coalescer import CallAnswer, CallFailed, Coalescer
from reward_gateway.backends.encoded_rows import Piece
from reward_gateway.backends.followed_name import resolve_addresses
from reward_gateway.backends.port import Device, ModelAnswer, ModelInfo, explain_idle
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.sample import Batch, FloatArray, Invalid

from ..breaker import MakeBreaker
from .config import UpstreamConfig
from .failures import Refused, ReplicaFailed
from .identity import Identity, ask_identity, name_version, probe_questions
from .protocols import PROTOCOLS, RowAnswers
from .protocols.base import TRUNCATED
from .replica import Replica
from .replicas import Replicas
from .rows import QuestionEncoder, QuestionRows, inputs_of

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 4.0
"""How often a replica that answers is asked what it is: a change is noticed within five seconds."""

LOOK_AGAIN_S = 0.5
"""The same of one that does not: when it returns, it is used within two seconds."""

MAX_QUEUED = 65_536
"""Maximum rows of one caller that wait."""

CHANGED = ""
"""The version of an answer during which the version changed: nobody knows which of the two it is of."""


class Upstream:
    """One entry. Create it on the running loop.

    Args:
        make_breaker: makes the circuit breaker of one replica.

    Attributes:
        info: its model, as far as it is known.
    """

    def __init__(self, name: str, config: UpstreamConfig, make_breaker: MakeBreaker, observer: Observer) -> None:
        self.name = name
        self.config = config
        self._protocol = PROTOCOLS[config.protocol](config)
        self._encoder = QuestionEncoder(config)
        self._probes = probe_questions(self._encoder.encode, config)
        self._identities: dict[str, Identity] = {}
        self._asked: set[str] = set()
        self._current: Identity | None = None
        self._fault = self._away = Invalid("model_unavailable", f"{name} has not answered yet; try again later.")
        self._observer = observer
        self.info = ModelInfo(
            name=name,
            version="",
            ready=False,
            inputs=inputs_of(config),
            dimensions=config.dimensions,
            max_batch=config.limits.batch if self._protocol.batches else 1,
            flags=(TRUNCATED,) if config.truncate else (),
            vector=config.vector,
            card={"upstream": config.protocol, "model": config.model},
            device=Device("upstream", instances=config.limits.in_flight),
            fault=self._fault.message,
            fallback=config.fallback or "",
        )
        self._coalescer: Coalescer[UpstreamConfig, QuestionRows] = Coalescer(
            name,
            self._encoder.encode,
            self._send,
            max_calls=config.limits.in_flight,
            max_queued=MAX_QUEUED,
            max_in_flight_s=config.limits.timeout_s,
            takes_long=self._encoder.takes_long,
            observer=observer,
        )
        self._scoring = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._looked = asyncio.Event()
        host = urlsplit(config.dns).netloc if config.dns else ""
        self._replicas = Replicas(
            name,
            config,
            lambda url, label: Replica(name, url, config, make_breaker, observer, label=label, host=host),
            observer,
        )
        self._looks: dict[str, asyncio.Task[None]] = {}
        self._watch_replicas()
        self._resolving = asyncio.get_running_loop().create_task(self._resolve())

    async def wait_until_known(self, seconds: float) -> None:
        """Wait until every replica has been asked what it is, once, or so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._looked.wait(), seconds)

    # Scores

    async def score(self, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        """As :meth:`reward_gateway.backends.port.ModelServer.score`."""
        width = len(self.config.dimensions)
        if not self.info.ready:
            if not self._replicas.all:
                self._observer.rows_refused(self.name, len(rows), "no_replicas")
            return ModelAnswer(np.full((len(rows), width), np.nan), dict.fromkeys(range(len(rows)), self._fault))
        self._scoring += 1
        self._idle.clear()
        try:
            return await self._coalescer.score(
                self.config,
                batch,
                rows,
                width=width,
                deadline=deadline,
                max_rows=self.info.max_batch,
                instances=self.config.limits.in_flight,
            )
        finally:
            self._scoring -= 1
            if not self._scoring:
                self._idle.set()

    async def _send(self, pieces: Sequence[Piece[QuestionRows]], deadline: float) -> CallAnswer:
        """Send one call. Raises CallFailed."""
        questions = [question for rows, start, stop in pieces for question in rows.questions[start:stop]]
        version = self.info.version

        async def ask(replica: Replica, timeout_s: float) -> RowAnswers:
            return await self._protocol.ask(replica, questions, timeout_s)

        try:
            answers = await self._replicas.call(ask, len(questions), deadline)
        except ReplicaFailed as failure:
            raise CallFailed(failure.reason, divisible=False) from None
        except Refused as refusal:
            raise CallFailed(refusal.reason, divisible=refusal.rows) from None
        answered_by = version if version == self.info.version else CHANGED
        return CallAnswer(answers.values, answered_by, answers.invalid, answers.flags, answers.vectors)

    # What the replicas are

    def _watch_replicas(self) -> None:
        """Look at every replica again and again, and no more at those that have gone."""
        for url in [url for url in self._looks if url not in self._replicas.all]:
            self._looks.pop(url).cancel()
            self._identities.pop(url, None)
            self._asked.discard(url)
        for url, replica in self._replicas.all.items():
            if url not in self._looks:
                self._looks[url] = asyncio.get_running_loop().create_task(self._watch(replica))

    async def _resolve(self) -> None:
        """Follow the addresses of ``dns``."""
        while self.config.dns is not None:
            try:
                if await self._replicas.resolve():
                    self._watch_replicas()
                    self._settle_version()
            except Exception as error:
                log.error("upstream_not_resolved", upstream=self.name, exc_info=error, once_per=self.name)
            if not self._replicas.all:
                self._refuse_without_replicas()
                self._looked.set()
            await asyncio.sleep(self._replicas.pause_s)

    async def _watch(self, replica: Replica) -> None:
        """Look at one replica again and again."""
        while True:
            replica.look_soon.clear()
            well = False
            try:
                well = await self._look_at(replica)
            except Exception as error:  # whatever a server says, it is asked again
                log.error("upstream_look_failed", upstream=self.name, exc_info=error, once_per=self.name)
            self._asked.add(replica.url)
            if well and not replica.look_soon.is_set():
                replica.trusted = True
            self._settle_version()
            replica.note_look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(replica.look_soon.wait(), LOOK_EVERY_S if well else LOOK_AGAIN_S)

    async def _look_at(self, replica: Replica) -> bool:
        """Ask a replica what it is; whether it may be called."""
        before = self._identities.get(replica.url)
        ticket = replica.begin_look()
        try:
            identity = await self._ask_identity(replica, thorough=not replica.trusted)
            if before is not None and replica.trusted and not identity.matches(before):
                identity = await self._ask_identity(replica, thorough=True)  # it may have been rounded differently
        except ReplicaFailed as failure:
            if failure.busy:
                replica.note_answer()
                return replica.trusted
            replica.note_failure(ticket)
            if failure.lost:
                replica.trusted = False
            if not replica.trusted:
                self._identities.pop(replica.url, None)
                self._away = failure.reason
            return False  # one that hangs is looked at again soon, so that its breaker opens and calls leave it
        replica.note_answer()
        if identity.fault:
            replica.trusted = False
        elif before is not None and not before.fault and identity.matches(before):
            return True  # the scores of the first look stay, so that many small changes are noticed as well
        self._identities[replica.url] = identity
        return not identity.fault

    async def _ask_identity(self, replica: Replica, *, thorough: bool) -> Identity:
        return await ask_identity(replica, self._protocol, self._probes, thorough=thorough)

    def _settle_version(self) -> None:
        """The version that all replicas that answer have; none if they differ."""
        found = {url: identity for url, identity in self._identities.items() if url in self._replicas.all}
        well = [identity for identity in found.values() if not identity.fault]
        if self._asked >= self._replicas.all.keys():
            self._looked.set()
        if not well:
            faults = [identity.fault for identity in found.values()]
            self._refuse(f"{faults[0]}." if faults else self._away.message)
            return
        other = next((identity for identity in well if not identity.matches(well[0])), None)
        if other is not None and not self.config.version:
            versions = sorted(name_version(self.config, identity) for identity in (well[0], other))
            self._refuse(f"The servers of {self.name} differ in their weights: versions {' and '.join(versions)}.")
            return
        if self._current is None or not self._current.matches(well[0]):
            self._current = well[0]
        version = name_version(self.config, self._current)
        if not self.info.ready or version != self.info.version:
            log.info("upstream_ready", upstream=self.name, version=version)
        self.info = replace(
            self.info,
            ready=True,
            idle=False,
            version=version,
            versions=(version,),
            fault="",
            max_batch=self._count_most_rows(),
        )

    def _count_most_rows(self) -> int:
        """Maximum rows of a call: those of the entry, or fewer where a replica says that it takes fewer."""
        if not self._protocol.batches:
            return 1
        told = (replica.most_rows for replica in self._replicas.all.values())
        return min((self.config.limits.batch, *(rows for rows in told if rows is not None)))

    def _refuse_without_replicas(self) -> None:
        """No row is scored: the name has no address, which is no fault of a pool that may be scaled to zero."""
        if (cold_start_s := self.config.cold_start_s) is None:
            self._refuse(f"No server of {self.name} is known: the name in `dns` is not found.")
        else:
            self._refuse(explain_idle(self.name, cold_start_s), after_s=cold_start_s)

    def _refuse(self, why: str, after_s: float | None = None) -> None:
        """No row is scored, for this cause.

        Args:
            after_s: seconds until it may be scored, where the upstream is a pool that has no server at the moment.
        """
        if after_s is None and (self._fault.message != why or self.info.ready):
            log.warning("upstream_away", upstream=self.name, reason=why)
        self._fault = Invalid("model_unavailable", why, retry_after_s=after_s)
        self.info = replace(self.info, ready=False, fault=why, idle=after_s is not None)

    # Its end

    async def drain(self) -> None:
        """Answer what is being scored, and close."""
        await self._idle.wait()
        await self.close()

    async def close(self) -> None:
        """Fail what is being scored, and close the connections."""
        tasks = [self._resolving, *self._looks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._coalescer.close()
        await self._replicas.close()


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a look at one replica found.

    Attributes:
        label: the host and port of its address.
        version: that of its weights under this entry; empty if it cannot be used.
        scores: [m, K] of the fixed texts; None if there are none.
        fault: why it cannot be used; empty if it can.
    """

    label: str
    version: str = ""
    scores: FloatArray | None = None
    fault: str = ""


async def inspect_replicas(name: str, config: UpstreamConfig, make_breaker: MakeBreaker) -> list[Inspected]:
    """Look once at every server of an entry."""
    addresses = list(config.urls)
    if config.dns is not None:
        found = await resolve_addresses(config.dns)
        if not found:
            fault = "no name server answers" if found is None else "the name in `dns` is not found"
            return [Inspected(urlsplit(config.dns).netloc, fault=fault)]
        addresses = found
    protocol = PROTOCOLS[config.protocol](config)
    questions = probe_questions(QuestionEncoder(config).encode, config)
    host = urlsplit(config.dns).netloc if config.dns else ""

    async def look(url: str) -> Inspected:
        replica = Replica(name, url, config, make_breaker, UNOBSERVED, host=host)
        try:
            identity = await ask_identity(replica, protocol, questions, thorough=True)
        except ReplicaFailed as failure:
            return Inspected(replica.label, fault=failure.reason.message)
        finally:
            await replica.close()
        version = "" if identity.fault else name_version(config, identity)
        return Inspected(replica.label, version, identity.scores, identity.fault)

    return list(await asyncio.gather(*map(look, addresses)))
