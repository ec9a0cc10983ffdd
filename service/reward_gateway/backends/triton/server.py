"""One Triton server, over gRPC: what it serves, and calls of its models."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from reward_gateway.backends.breaker import MakeBreaker
from reward_gateway.backends.port import ModelInfo
from reward_gateway.backends.triton.control import Control
from reward_gateway.backends.triton.directory import Directory, Models
from reward_gateway.backends.triton.index import index_by_name
from reward_gateway.backends.triton.model_config import TritonModel, read_config, unread_model
from reward_gateway.backends.triton.passthrough import Passthrough
from reward_gateway.errors import ModelUnavailable, NotFound
from reward_gateway.observer import UNOBSERVED, BreakerState, Observer
from reward_gateway.sample import split_version

CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Reconnect to a restarted server within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Triton closes the connection of a client that pings much more often than every five minutes.
    ("grpc.keepalive_time_ms", 150_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)

INFER_METHOD = "/inference.GRPCInferenceService/ModelInfer"

LOOKUP_TIMEOUT_S = 2.0
"""Timeout for the server's index and configurations."""

RECONNECT_S = 1.0
"""Maximum wait for a lost connection before a call is retried once."""

HANGING_LOOKUPS = 3
"""Questions in a row that a server does not answer, after which its calls go to other servers."""


class TritonServer:
    """One server. Create it on the running loop.

    Args:
        url: gRPC address, ``host:port``.
        label: its name in metrics.
        make_breaker: makes the circuit breaker of one model on it.
        has_peers: whether there are other servers that its calls may go to.
        info_ttl_s: maximum seconds until a changed model is noticed.

    Attributes:
        in_flight: calls that are not answered yet.
    """

    def __init__(
        self,
        url: str,
        make_breaker: MakeBreaker,
        *,
        label: str = "",
        has_peers: Callable[[], bool] = lambda: False,
        info_ttl_s: float = 5.0,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self.url = url
        self.label = label or url
        self.in_flight = 0
        self.observer = observer
        self._make_breaker = make_breaker
        self._has_peers = has_peers
        self._channel = grpc.aio.insecure_channel(url, options=CHANNEL_OPTIONS)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._infer = self._channel.unary_unary(  # what it sends is bytes already
            INFER_METHOD, request_serializer=None, response_deserializer=service_pb2.ModelInferResponse.FromString
        )
        self.passthrough = Passthrough(self._stub)
        self._directory = Directory(self._fetch_models, info_ttl_s)
        self.control = Control(self.passthrough, self._directory.renew)
        self._replicas: dict[str, ModelReplica] = {}
        self._timeouts: set[asyncio.Timeout] = set()
        self._failed_lookups = 0
        self._idle = asyncio.Event()
        self._idle.set()

    # What it serves

    async def check(self) -> None:
        """Ask the server what it serves, unless that is known from a moment ago, so that the observer hears of it."""
        with contextlib.suppress(ModelUnavailable):
            await self._directory.models()

    async def models(self) -> list[ModelInfo]:
        """Every model once, freshly asked for. Raises ModelUnavailable."""
        return [model.info for model in (await self._directory.fetch_models()).values() if not model.pinned]

    def known_model(self, name: str) -> TritonModel | None:
        """A model as of the last time that the server was asked, without asking it now; None if it has none."""
        model = self._directory.latest_models().get(name)
        return model if model is not None and model.read else None

    async def find_model(self, name: str) -> TritonModel:
        """A model, ready or not. Raises NotFound or ModelUnavailable."""
        models = await self._directory.models()
        if name not in models:
            models = await self._directory.fetch_models()  # it may have been added just now
        if name not in models:
            base, version = split_version(name)
            if base in models and version:
                there = ", ".join(models[base].info.versions) or "none"
                raise NotFound(f"The model '{base}' serves no version {version} (it serves: {there}).")
            raise NotFound(f"There is no model '{name}' on the model server.")
        model = models[name]
        if not model.read:
            raise ModelUnavailable(f"The model '{name}' is not ready on the model server.")
        return model

    def look_soon(self) -> None:
        """Begin to ask the server what it serves."""
        self._directory.latest_models()

    def expire(self) -> None:
        """Ask the server anew before the next use of what it said."""
        self._directory.expire()

    def mark_away(self) -> None:
        """Its connection was lost: none of its models is ready until it has been asked again."""
        self._directory.mark_away()

    def find_replica(self, name: str) -> "ModelReplica":
        """A model on this server, as one of those that may be called."""
        if name not in self._replicas:
            self._replicas[name] = ModelReplica(self, name, self._make_breaker)
        return self._replicas[name]

    async def _fetch_models(self) -> Models:
        try:
            index = await self._stub.RepositoryIndex(service_pb2.RepositoryIndexRequest(), timeout=LOOKUP_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            self.observer.triton_checked(self.label, False)
            self._failed_lookups += 1
            if self._failed_lookups >= HANGING_LOOKUPS and self._has_peers():
                for timeout in self._timeouts:
                    timeout.reschedule(0.0)
            raise ModelUnavailable("The model server does not answer.") from error
        self.observer.triton_checked(self.label, True)
        self._failed_lookups = 0
        return index_by_name(await asyncio.gather(*(self._describe_model(entry) for entry in index.models)))

    async def _describe_model(self, entry: "service_pb2.RepositoryIndexResponse.ModelIndex") -> TritonModel:
        if entry.state != "READY":
            return unread_model(entry.name, entry.version, wanted=entry.state != "" and entry.reason != "unloaded")
        request = service_pb2.ModelConfigRequest(name=entry.name, version=entry.version)
        try:
            answer = await self._stub.ModelConfig(request, timeout=LOOKUP_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return unread_model(entry.name, entry.version, wanted=True)
        return read_config(answer.config, entry.version, ready=True)

    # Calls

    @contextmanager
    def carry_call(self) -> Iterator[None]:
        """A call is in flight."""
        self.in_flight += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._idle.set()

    async def infer(self, request: bytes, deadline: float) -> "service_pb2.ModelInferResponse":
        """Send an infer call, as written by :func:`.infer_request.encode_infer_request`.

        Raises:
            grpc.aio.AioRpcError: it failed; or the server hangs, and there are others.
        """
        left_s = max(0.0, deadline - asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(None) as timeout:
                self._timeouts.add(timeout)
                try:
                    answer: service_pb2.ModelInferResponse = await self._infer(request, timeout=left_s)
                finally:
                    self._timeouts.discard(timeout)
        except TimeoutError:
            none = grpc.aio.Metadata()
            words = "The model server does not answer."
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, none, none, words, None) from None
        return answer

    async def confirm_models(self) -> None:
        """Ask anew what it serves if its connection has been lost since: it may be another server by now."""
        if self._channel.get_state() is not grpc.ChannelConnectivity.READY:
            await self._directory.renew()

    async def wait_for_connection(self, deadline: float) -> bool:
        """Wait for a connection that has just broken; False if it was already down, or does not come back in time."""
        if self._channel.get_state() is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            return False
        wait = min(RECONNECT_S, deadline - asyncio.get_running_loop().time())
        try:
            await asyncio.wait_for(self._channel.channel_ready(), wait)
        except TimeoutError:
            return False
        return True

    async def drain(self) -> None:
        """Ask it no more what it serves, and close it once its calls are answered."""
        await self._leave()
        await self._idle.wait()
        await self._channel.close(None)

    async def close(self) -> None:
        """Cancel its calls, and close the connection."""
        await self._leave()
        await self._channel.close(None)

    async def _leave(self) -> None:
        await self._directory.close()
        self.observer.triton_checked(self.label, None)
        for replica in self._replicas.values():
            replica.note_breaker("closed")


class ModelReplica:
    """One model on one server, for :class:`reward_gateway.backends.least_busy.LeastBusy`.

    A server that does not answer gets no calls for any model, as it is asked every few seconds. The breaker is for
    calls of one model that fail here and are answered by another server.
    """

    def __init__(self, server: TritonServer, name: str, make_breaker: MakeBreaker) -> None:
        self.server = server
        self.name = name
        self._breaker = make_breaker(self.note_breaker)
        self._probe: int | None = None

    @property
    def in_flight(self) -> int:
        """Calls of all models that the server has not answered yet."""
        return self.server.in_flight

    def begin(self) -> int | None:
        """A ticket for a call, which may be the probe of an open breaker; None if it is not called now."""
        ticket = self._breaker.begin_call()
        if ticket is None:
            ticket = self._probe = self._breaker.begin_probe()
        return ticket

    def note_failure(self, ticket: int) -> None:
        """A call failed here which another server answered."""
        self._breaker.record_failure(ticket)

    def note_breaker(self, state: BreakerState) -> None:
        """Tell the breaker's state."""
        self.server.observer.replica_breaker_changed("triton", self.name, self.server.label, state)

    @contextmanager
    def carry(self, rows: int) -> Iterator[list[str]]:
        """A call of so many rows is in flight; what is appended is its outcome."""
        loop, observer, label = asyncio.get_running_loop(), self.server.observer, self.server.label
        started, outcome = loop.time(), ["cancelled"]
        observer.replica_call_started("triton", self.name, label, rows)
        try:
            with self.server.carry_call():
                yield outcome
        finally:
            if outcome[-1] == "ok":
                self._breaker.record_success()
            elif self._probe is not None:
                self._breaker.record_failure(self._probe)
            self._probe = None
            observer.replica_call_finished("triton", self.name, label, loop.time() - started, outcome[-1])
