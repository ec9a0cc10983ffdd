"""``inference.GRPCInferenceService``: the Open Inference Protocol on gRPC, over the same models as HTTP's ``/v2``."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from time import perf_counter_ns
from typing import Any

import grpc
from google.protobuf.message import Message
from tritonclient.grpc import service_pb2 as pb

from reward_gateway.admin.models import ModelAdmin
from reward_gateway.errors import InvalidRequest, NotFound
from reward_gateway.gateway import Gateway
from reward_gateway.intake.idempotency import part_of
from reward_gateway.intake.kept_answers import KeptAnswers
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.oip.protocol import OpenInference, read_timeout_s
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.settings import Settings
from reward_gateway.telemetry.traces import Tracer
from reward_gateway.traffic.deadlines import deadline_at
from reward_gateway.traffic.guard import Traffic

from .calls import Call, Calls, parse
from .infer_messages import pack_message, takes_long_to_parse
from .oip_stream import InferStream
from .repeats import repeat_key

SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name

_UNKNOWN = pb.ModelInferRequest()
"""What is known of a request before it is parsed: it names no deadline of its own."""


class InferenceService:
    """The methods of the protocol over one gateway."""

    def __init__(
        self,
        gateway: Gateway,
        protocol: OpenInference,
        settings: Settings,
        traffic: Traffic,
        observer: Observer = UNOBSERVED,
        model_admin: ModelAdmin | None = None,
        tracer: Tracer | None = None,
        answers: KeptAnswers | None = None,
    ) -> None:
        self._gateway = gateway
        self._answers = KeptAnswers(gateway, settings) if answers is None else answers
        self._protocol = protocol
        self._settings = settings
        self._traffic = traffic
        self._lifecycle = model_admin or ModelAdmin(gateway, settings)
        self._calls = Calls(traffic, settings, observer, tracer)

    def handler(self) -> "grpc.GenericRpcHandler[bytes, bytes]":
        """What a server is given to serve this service."""
        guarded = {
            "ServerMetadata": self.server_metadata,
            "ModelReady": self.model_ready,
            "ModelMetadata": self.model_metadata,
            "ModelConfig": self.model_config,
            "ModelStatistics": self.model_statistics,
            "RepositoryIndex": self.repository_index,
        }
        handlers = {name: self._calls.unary(name, answer) for name, answer in guarded.items()}
        control = {"RepositoryModelLoad": self.model_load, "RepositoryModelUnload": self.model_unload}
        handlers |= {name: self._calls.unary(name, answer, "admin") for name, answer in control.items()}
        handlers["ModelInfer"] = self._calls.unary("ModelInfer", self.model_infer, waits=True)
        handlers["ModelStreamInfer"] = self._calls.stream("ModelStreamInfer", self.model_stream_infer)
        # A probe is answered when nothing else is, and needs no key, as on HTTP.
        handlers["ServerLive"] = _probe_handler(self.server_live)
        handlers["ServerReady"] = _probe_handler(self.server_ready)
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    async def server_live(self) -> "pb.ServerLiveResponse":
        return pb.ServerLiveResponse(live=True)

    async def server_ready(self) -> "pb.ServerReadyResponse":
        ready = not self._traffic.drain.leaving and (await self._gateway.check_readiness()).ready
        return pb.ServerReadyResponse(ready=ready)

    async def server_metadata(self, raw: bytes, call: Call) -> "pb.ServerMetadataResponse":
        return self._protocol.server_metadata()

    async def model_ready(self, raw: bytes, call: Call) -> "pb.ModelReadyResponse":
        request = parse(pb.ModelReadyRequest, raw)
        try:
            return pb.ModelReadyResponse(ready=await self._protocol.is_ready(request.name, request.version))
        except NotFound:
            return pb.ModelReadyResponse(ready=False)

    async def model_metadata(self, raw: bytes, call: Call) -> "pb.ModelMetadataResponse":
        request = parse(pb.ModelMetadataRequest, raw)
        return await self._protocol.model_metadata(request.name, request.version)

    async def model_config(self, raw: bytes, call: Call) -> "pb.ModelConfigResponse":
        request = parse(pb.ModelConfigRequest, raw)
        return await self._protocol.model_config(request.name, request.version)

    async def model_statistics(self, raw: bytes, call: Call) -> "pb.ModelStatisticsResponse":
        request = parse(pb.ModelStatisticsRequest, raw)
        return await self._protocol.model_statistics(request.name, request.version)

    async def repository_index(self, raw: bytes, call: Call) -> "pb.RepositoryIndexResponse":
        return await self._protocol.repository_index(parse(pb.RepositoryIndexRequest, raw).ready)

    async def model_load(self, raw: bytes, call: Call) -> "pb.RepositoryModelLoadResponse":
        request = parse(pb.RepositoryModelLoadRequest, raw)
        if request.parameters:
            raise InvalidRequest("parameters are not taken: models are loaded as the repository has them")
        await self._lifecycle.load(request.model_name)
        return pb.RepositoryModelLoadResponse()

    async def model_unload(self, raw: bytes, call: Call) -> "pb.RepositoryModelUnloadResponse":
        await self._lifecycle.unload(parse(pb.RepositoryModelUnloadRequest, raw).model_name)
        return pb.RepositoryModelUnloadResponse()

    async def model_infer(self, raw: bytes, call: Call) -> bytes:
        began, admission = perf_counter_ns(), self._traffic.admission
        await admission.acquire(call.deadline)
        with admission.occupy():
            key = repeat_key("ModelInfer", raw, call.scope)
            if key is not None and (kept := await self._answers.find(key, call.scope)) is not None:
                samples = kept.fixed[0].scored.usage.samples
                self._protocol.count_repeat(kept.name, samples, perf_counter_ns() - began)
                return kept.content
            long = takes_long_to_parse(raw)
            request = await self._parse_apart(raw, call) if long else parse(pb.ModelInferRequest, raw)
            deadline = deadline_at(call.arrived_at, self._settings, read_timeout_s(request), call.left_s)
            response, fixed = await self._protocol.infer_once(request, deadline, scope=call.scope)
            content: bytes = response.SerializeToString()
            if key is not None:
                self._answers.keep(key, raw, content, (fixed,), name=request.model_name)
            return content

    async def model_stream_infer(self, requests: AsyncIterator[bytes], call: Call) -> None:
        await InferStream(self._stream_answers, self._traffic, call).answer_requests(requests)

    async def _stream_answers(self, raw: bytes, place: int, call: Call) -> AsyncIterator[Any]:
        long = takes_long_to_parse(raw)
        request = await self._parse_apart(raw, call) if long else parse(pb.ModelInferRequest, raw)
        deadline = self._deadline_of(request, call)
        scope = part_of(call.scope, request.id or str(place))
        self._traffic.drain.check_accepting()
        async with self._traffic.admission.enter(deadline):
            async for message in self._protocol.stream(request, deadline, scope):
                yield message

    async def _parse_apart(self, raw: bytes, call: Call) -> "pb.ModelInferRequest":
        """Parse a message in a worker process, under the call's own deadline."""
        context = RequestContext(self._deadline_of(_UNKNOWN, call), scope=call.scope)
        return pb.ModelInferRequest.FromString(await self._gateway.runtime.compute(pack_message, raw, context))

    def _deadline_of(self, request: "pb.ModelInferRequest", call: Call) -> float:
        now = asyncio.get_running_loop().time()
        return deadline_at(now, self._settings, read_timeout_s(request), call.time_remaining())


def _probe_handler(answer: Callable[[], Coroutine[Any, Any, Message]]) -> "grpc.RpcMethodHandler[bytes, bytes]":
    async def handle(request: bytes, call: Call) -> bytes:
        return (await answer()).SerializeToString()

    return grpc.unary_unary_rpc_method_handler(handle)
