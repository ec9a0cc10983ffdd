"""RewardService: decode, call the gateway, encode. The same dataplane as HTTP, so the same scores and errors."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from time import perf_counter

import grpc
from google.protobuf.json_format import ParseDict

from reward_gateway.gateway import Gateway
from reward_gateway.intake.decoding_cost import is_long_message
from reward_gateway.intake.kept_answers import KeptAnswers
from reward_gateway.intake.score_intake import ScoreIntake
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.sample.scores import LARGE_ANSWER
from reward_gateway.settings import Settings
from reward_gateway.telemetry.traces import Tracer
from reward_gateway.traffic.guard import Traffic

from . import encode
from .calls import Call, Calls, Unary, parse
from .decode import read_score_message
from .job_calls import JobCalls, JobParts
from .operation_messages import encode_results, read_operation_message, takes_long_to_decode
from .repeats import repeat_key
from .stream import ScoreStream

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
        answers: KeptAnswers | None = None,
        jobs: JobParts | None = None,
    ) -> None:
        self._gateway = gateway
        self._answers = KeptAnswers(gateway, settings) if answers is None else answers
        self._settings = settings
        self._traffic = traffic
        self._intake = ScoreIntake(gateway, settings)
        self._read = partial(read_score_message, self._intake.limits)
        self._calls = Calls(traffic, settings, observer, tracer)
        self._jobs = JobCalls(jobs or JobParts.of(gateway, settings), traffic)

    def handler(self) -> "grpc.GenericRpcHandler[bytes, bytes]":
        """What a server is given to serve this service."""
        working: dict[str, Unary] = {"Score": self.score, "Apply": self.apply}
        listing: dict[str, Unary] = {"ListRewards": self.list_rewards, "Catalog": self.catalog}
        handlers = {name: self._calls.unary(name, answer, waits=True) for name, answer in working.items()}
        handlers |= {name: self._calls.unary(name, answer) for name, answer in listing.items()}
        handlers["ScoreStream"] = self._calls.stream("ScoreStream", self.score_stream)
        handlers |= self._jobs.handlers(self._calls)
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    async def score(self, raw: bytes, call: Call) -> bytes:
        started, admission = perf_counter(), self._traffic.admission
        await admission.acquire(call.deadline)
        with admission.occupy():
            decoding = perf_counter()
            key = repeat_key("Score", raw, call.scope)
            if key is not None and (kept := await self._answers.find(key, call.scope)) is not None:
                now = perf_counter()
                return kept.content + encode.timing({"total": (now - started) * 1e3, "cache": (now - decoding) * 1e3})
            batch, reward, options = await self._intake.read_and_prepare(
                self._read, raw, call.scope, call.arrived_at, call.left_s, takes_long=is_long_message(raw)
            )
            decoded = perf_counter()
            scored = await self._gateway.score(batch, reward, options)
        scored.timing_ms["decode"] = (decoded - decoding) * 1e3
        scored.timing_ms["total"] = (perf_counter() - started) * 1e3
        if options.cache == "refresh":
            self._answers.clear()
        long = scored.count_numbers() > LARGE_ANSWER
        make = partial(encode.response, batch.ids, scored, options.explain)
        content = await asyncio.to_thread(make) if long else make()
        if key is not None:
            self._answers.keep(key, raw, content, (options.fixed,))
        return content + encode.timing(scored.timing_ms)

    async def score_stream(self, _requests: AsyncIterator[bytes], call: Call) -> None:
        stream = ScoreStream(self._gateway, self._intake, self._traffic, self._settings, call)
        await stream.answer_samples()

    async def apply(self, raw: bytes, call: Call) -> bytes:
        target = parse(pb.ApplyTarget, raw, pb.ApplyRequest)  # the items may take the event loop long
        async with self._traffic.admission.enter(call.deadline):
            answer: bytes = await self._gateway.operations.answer_request(
                target.kind,
                target.name,
                raw,
                partial(read_operation_message, self._intake.limits),
                encode_results,
                may_take_long=takes_long_to_decode(raw),
                deadline=call.deadline,
                scope=call.scope,
            )
        return answer

    async def list_rewards(self, raw: bytes, call: Call) -> pb.ListRewardsResponse:
        parse(pb.ListRewardsRequest, raw)
        listing = self._gateway.list_rewards()
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
        rows = self._gateway.operations.list_entries()
        return pb.CatalogResponse(
            operations=[ParseDict(row, pb.Operation(), ignore_unknown_fields=True) for row in rows]
        )
