"""RewardService: decode, call the gateway, encode. The same dataplane as HTTP, so the same scores and errors."""

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter

import grpc
from google.protobuf.json_format import ParseDict

from reward_gateway.gateway import Gateway
from reward_gateway.intake.items import check_items
from reward_gateway.intake.limits import InputLimits
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.settings import Settings
from reward_gateway.telemetry.traces import Tracer
from reward_gateway.traffic.deadlines import deadline_at
from reward_gateway.traffic.guard import Traffic

from . import encode
from .calls import Call, Calls, parse
from .decode import Decoder, deadline_s, score_options
from .stream import ScoreStream
from .values import plain_list, plain_object

SERVICE = pb.DESCRIPTOR.services_by_name["RewardService"].full_name


class RewardService:
    """The methods of the published service over one gateway."""

    def __init__(
        self,
        gateway: Gateway,
        settings: Settings,
        traffic: Traffic,
        observer: Observer = UNOBSERVED,
        tracer: Tracer | None = None,
    ) -> None:
        self._gateway = gateway
        self._settings = settings
        self._traffic = traffic
        self._limits = InputLimits(settings)
        self._decoder = Decoder(settings)
        self._calls = Calls(traffic, observer, tracer)

    def handler(self) -> "grpc.GenericRpcHandler[bytes, bytes]":
        """What a server is given to serve this service."""
        unary = {
            "Score": self.score,
            "Apply": self.apply,
            "ListRewards": self.list_rewards,
            "Catalog": self.catalog,
        }
        handlers = {name: self._calls.unary(name, answer) for name, answer in unary.items()}
        handlers["ScoreStream"] = self._calls.stream("ScoreStream", self.score_stream)
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    async def score(self, raw: bytes, call: Call) -> pb.ScoreResponse:
        started = perf_counter()
        request = parse(pb.ScoreRequest, raw)
        parsed = perf_counter()
        options = score_options(request.options)
        options.deadline = self.deadline(call, options=request.options)
        options.scope = call.scope
        reward = self._gateway.resolve_reward(request.reward or None)
        async with self._traffic.admission.enter(options.deadline):
            decoding = perf_counter()
            batch = await self._decoder.batch(request.samples)
            decoded = perf_counter()
            scored = await self._gateway.score(batch, reward, options)
        scored.timing_ms["decode"] = (parsed - started + decoded - decoding) * 1e3
        scored.timing_ms["total"] = (perf_counter() - started) * 1e3
        return encode.response(batch.ids, scored, options.explain)

    async def score_stream(self, requests: AsyncIterator[bytes], call: Call) -> None:
        stream = ScoreStream(self._gateway, self._decoder, self._traffic, self._settings, call)
        await stream.run(requests)

    async def apply(self, raw: bytes, call: Call) -> pb.ApplyResponse:
        request = parse(pb.ApplyRequest, raw)
        self._limits.samples(len(request.items.values), "items")
        items, params = plain_list(request.items, "items"), plain_object(request.params, "params")
        check_items(items, len(raw), self._limits)
        deadline = self.deadline(call)
        async with self._traffic.admission.enter(deadline):
            results = await self._gateway.apply(request.kind, request.name, items, params, deadline, call.scope)
        return pb.ApplyResponse(results=map(encode.apply_result, results))

    async def list_rewards(self, raw: bytes, call: Call) -> pb.ListRewardsResponse:
        parse(pb.ListRewardsRequest, raw)
        listing = self._gateway.rewards()
        rewards = []
        for row in listing["rewards"]:
            reward = ParseDict({**row, "range": None}, pb.Reward(), ignore_unknown_fields=True)
            if row["range"]:
                low, high = row["range"]
                reward.range.CopyFrom(pb.Range(low=low, high=high))
            rewards.append(reward)
        return pb.ListRewardsResponse(rewards=rewards, default=listing["default"] or "")

    async def catalog(self, raw: bytes, call: Call) -> pb.CatalogResponse:
        parse(pb.CatalogRequest, raw)
        rows = self._gateway.catalog()
        return pb.CatalogResponse(
            operations=[ParseDict(row, pb.Operation(), ignore_unknown_fields=True) for row in rows]
        )

    def deadline(self, call: Call, options: pb.Options | None = None) -> float:
        """The call's own deadline or that of its options, whichever comes first."""
        named = deadline_s(options) if options is not None else None
        return deadline_at(asyncio.get_running_loop().time(), self._settings, named, call.time_remaining())
