"""Reward models on NVIDIA Triton, over gRPC; rows of concurrent requests are coalesced into few calls."""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

from reward_gateway.backends.coalescer import CallAnswer, CallFailed, Coalescer
from reward_gateway.backends.encoded_rows import Piece
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.backends.triton.control import Control
from reward_gateway.backends.triton.directory import Directory, Models
from reward_gateway.backends.triton.failures import call_failure, connection_lost, model_unavailable, row_failure
from reward_gateway.backends.triton.infer_request import encode_infer_request
from reward_gateway.backends.triton.model_config import TritonModel, read_config, unread_model, version_of
from reward_gateway.backends.triton.passthrough import Passthrough
from reward_gateway.backends.triton.rows import encode_rows
from reward_gateway.backends.triton.tensors import TensorRows, join_pieces, unframe_values
from reward_gateway.errors import ModelUnavailable, NotFound
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.sample import Batch, Invalid, all_finite, split_version

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

NOT_FINITE = Invalid("not_finite", "The model's score is not a finite number.")


class TritonServer:
    """Implements :class:`reward_gateway.backends.port.ModelServer`. Create it on the running loop.

    Args:
        url: gRPC address, ``host:port``.
        max_infer_calls: maximum calls in flight per model.
        max_in_flight_s: maximum predicted time of a model's calls in flight.
        max_queued_rows: maximum rows of one caller that wait per model.
        info_ttl_s: maximum seconds until a changed model is noticed.
    """

    def __init__(
        self,
        url: str,
        *,
        max_infer_calls: int = 4,
        max_in_flight_s: float = 0.05,
        max_queued_rows: int = 65_536,
        info_ttl_s: float = 5.0,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self.url = url
        self._channel = grpc.aio.insecure_channel(url, options=CHANNEL_OPTIONS)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._infer = self._channel.unary_unary(  # what it sends is bytes already
            INFER_METHOD, request_serializer=None, response_deserializer=service_pb2.ModelInferResponse.FromString
        )
        self.passthrough = Passthrough(self._stub)
        self._directory = Directory(self._fetch_models, info_ttl_s)
        self.control = Control(self.passthrough, self._directory.renew)
        self._max_infer_calls = max_infer_calls
        self._max_in_flight_s = max_in_flight_s
        self._max_queued_rows = max_queued_rows
        self._observer = observer
        self._coalescers: dict[str, Coalescer[TritonModel, TensorRows]] = {}
        self._latest_models: dict[str, TritonModel] = {}  # as of the last request

    async def check(self) -> None:
        """Ask the server what it serves, unless that is known from a moment ago, so that the observer hears of it."""
        with contextlib.suppress(ModelUnavailable):
            await self._directory.models()

    async def models(self) -> list[ModelInfo]:
        return [model.info for model in (await self._directory.fetch_models()).values() if not model.pinned]

    async def info(self, name: str) -> ModelInfo:
        return (await self._find_model(name)).info

    def was_ready(self, name: str) -> bool:
        """Whether a model was ready when the server was last asked, without asking it now."""
        model = self._directory.latest_models().get(name)
        return model is not None and model.info.ready

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        try:
            model = await self._find_model(name)
        except (ModelUnavailable, NotFound):
            return _refuse_rows(len(rows), 1, model_unavailable(name))
        if model.fault:
            reason = Invalid("model_error", f"{name} does not follow the contract of a reward model: {model.fault}.")
            return _refuse_rows(len(rows), max(1, model.width), reason)
        self._latest_models[name] = model
        return await self._get_coalescer(name).score(
            model,
            batch,
            rows,
            width=model.width,
            deadline=deadline,
            max_rows=model.info.max_batch,
            instances=model.info.device.parallel_calls,
        )

    async def close(self) -> None:
        for coalescer in self._coalescers.values():
            await coalescer.close()
        await self._directory.close()
        await self._channel.close(None)

    async def _find_model(self, name: str) -> TritonModel:
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

    async def _fetch_models(self) -> Models:
        try:
            index = await self._stub.RepositoryIndex(service_pb2.RepositoryIndexRequest(), timeout=LOOKUP_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            self._observer.triton_checked(self.url, False)
            raise ModelUnavailable("The model server does not answer.") from error
        self._observer.triton_checked(self.url, True)
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

    def _get_coalescer(self, name: str) -> Coalescer[TritonModel, TensorRows]:
        if name not in self._coalescers:

            async def send_pieces(pieces: Sequence[Piece[TensorRows]], deadline: float) -> CallAnswer:
                return await self._infer_pieces(name, pieces, deadline)

            self._coalescers[name] = Coalescer(
                name,
                encode_rows,
                send_pieces,
                max_calls=self._max_infer_calls,
                max_queued=self._max_queued_rows,
                max_in_flight_s=self._max_in_flight_s,
                observer=self._observer,
            )
        return self._coalescers[name]

    async def _infer_pieces(self, name: str, pieces: Sequence[Piece[TensorRows]], deadline: float) -> CallAnswer:
        """Send one infer call; retries once after a lost connection. Raises CallFailed."""
        model = self._latest_models[name]
        rows = sum(stop - start for _, start, stop in pieces)
        request = encode_infer_request(model, join_pieces(pieces), rows)
        try:
            try:
                answer = await self._call_infer(request, deadline)
            except grpc.aio.AioRpcError as error:
                if not connection_lost(error) or not await self._wait_for_connection(deadline):
                    raise
                answer = await self._call_infer(request, deadline)
        except grpc.aio.AioRpcError as error:
            self._directory.expire()
            raise call_failure(name, error) from None
        if not model.info.ready:
            self._directory.expire()  # the model is ready again
        try:
            return self._read_answer(model, answer, rows)
        except (ValueError, KeyError):
            self._directory.expire()
            reason = Invalid("model_error", f"{name} answered with tensors that do not follow its configuration.")
            raise CallFailed(reason, divisible=False) from None

    async def _call_infer(self, request: bytes, deadline: float) -> "service_pb2.ModelInferResponse":
        timeout = max(0.0, deadline - asyncio.get_running_loop().time())
        return await self._infer(request, timeout=timeout)

    async def _wait_for_connection(self, deadline: float) -> bool:
        """Wait for a connection that has just broken; False if it was already down, or does not come back in time."""
        if self._channel.get_state() is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            return False
        wait = min(RECONNECT_S, deadline - asyncio.get_running_loop().time())
        try:
            await asyncio.wait_for(self._channel.channel_ready(), wait)
        except TimeoutError:
            return False
        return True

    def _read_answer(self, model: TritonModel, answer: "service_pb2.ModelInferResponse", rows: int) -> CallAnswer:
        """Decode an answer. Raises ValueError or KeyError if it does not match the configuration."""
        raw = {tensor.name: data for tensor, data in zip(answer.outputs, answer.raw_output_contents, strict=True)}
        values = np.frombuffer(raw["score"], "<f4").reshape(rows, model.width).astype(np.float64)
        call_answer = CallAnswer(values, self._answer_version(model, answer))
        if not all_finite(values.ravel()):
            not_finite_rows = ~np.isfinite(values).all(axis=1)
            values[not_finite_rows] = np.nan
            call_answer.invalid = dict.fromkeys(np.flatnonzero(not_finite_rows).tolist(), NOT_FINITE)
        if len(raw.get("error", b"")) > 4 * rows:  # otherwise all error strings are empty
            for row, words in enumerate(unframe_values(raw["error"], rows)):
                if words:
                    values[row] = np.nan
                    call_answer.invalid[row] = row_failure(words.decode("utf-8", "replace"))
        if "vector" in raw:
            vectors = enumerate(unframe_values(raw["vector"], rows))
            call_answer.vectors = {row: vector for row, vector in vectors if row not in call_answer.invalid}
        if "flags" in raw:
            bits = np.frombuffer(raw["flags"], "<u4").reshape(rows)
            call_answer.flags = {row: model.info.flag_names(int(bits[row])) for row in np.flatnonzero(bits).tolist()}
        return call_answer

    def _answer_version(self, model: TritonModel, answer: "service_pb2.ModelInferResponse") -> str:
        """The version that answered: Triton's number, with the content version that was looked up."""
        if answer.model_version != model.triton_version:
            self._directory.expire()
        return version_of(answer.model_version, model.content_version)


def index_by_name(models: Iterable[TritonModel]) -> Models:
    """Index models by requested name: ``NAME@VERSION`` for each, and ``NAME`` for the highest ready version."""
    named: dict[str, TritonModel] = {}
    of_name: dict[str, list[TritonModel]] = {}
    for model in sorted(models, key=_version_rank):
        named[model.name] = model  # the last one stays
        of_name.setdefault(model.name, []).append(model)
        if model.info.ready:
            named[f"{model.name}@{model.triton_version}"] = model.pin_version()
    ready = {name: [m.info.version for m in versions if m.info.ready] for name, versions in of_name.items()}
    coming = {
        name: [m.triton_version for m in versions if m.info.wanted and not m.info.ready and m.triton_version]
        for name, versions in of_name.items()
    }
    return {
        key: model if model.pinned else model.with_versions(ready[key], coming[key]) for key, model in named.items()
    }


def _version_rank(model: TritonModel) -> tuple[bool, bool, int]:
    """Sort key: Triton answers a name without a version with the highest ready version."""
    return model.info.ready, model.info.wanted, int(model.triton_version) if model.triton_version.isdecimal() else 0


def _refuse_rows(rows: int, width: int, reason: Invalid) -> ModelAnswer:
    return ModelAnswer(np.full((rows, width), np.nan), dict.fromkeys(range(rows), reason))
