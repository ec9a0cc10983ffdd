"""A message that comes again byte for byte gets its answer again, over gRPC as over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from reward_gateway.backends.port import ModelAnswer, ModelInfo
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.gateway import Gateway
from reward_gateway.grpc import oip, server
from reward_gateway.intake.kept_answers import KeptAnswers
from reward_gateway.oip.protocol import OpenInference
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.proto.reward_pb2_grpc import RewardServiceStub
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import Batch
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.telemetry.metrics import Metrics
from reward_gateway.traffic.guard import Traffic
from tritonclient.grpc import service_pb2, service_pb2_grpc

from .conftest import KNOWN, RECIPES, Letters

pytestmark = pytest.mark.anyio

KEYS = """
keys:
  - {name: alice, key: alice-secret, rights: [score]}
  - {name: bob, key: bob-secret, rights: [score]}
"""
ALICE, BOB = ((("x-api-key", f"{name}-secret"),) for name in ("alice", "bob"))


@dataclass
class Versioned(Letters):
    """Letters whose version can change."""

    version: str = "1"

    async def info(self, name: str) -> ModelInfo:
        return replace(await super().info(name), version=self.version)

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        return replace(await super().score(name, batch, rows, deadline), version=self.version)


@dataclass
class Repeating:
    """A server with the cache's memory level, and how often its gateway was asked to score."""

    channel: Any
    gateway: Gateway
    models: Versioned
    answers: KeptAnswers
    metrics: Metrics
    scored: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        score = self.gateway.score

        async def counted(batch: Any, reward: str, options: Any) -> Any:
            self.scored.append(reward)
            return await score(batch, reward, options)

        self.gateway.score = counted  # type: ignore[assignment, method-assign]

    async def score(self, reward: str = "plain", metadata: Any = (), **more: Any) -> pb.ScoreResponse:
        samples = [pb.Sample(prompt="p", response=text) for text in ("abc", "abcde")]
        request = pb.ScoreRequest(reward=reward, samples=samples, **more)
        stub: Any = RewardServiceStub(self.channel)  # type: ignore[no-untyped-call]
        answer: pb.ScoreResponse = await stub.Score(request, metadata=metadata)
        return answer

    async def infer(self, metadata: Any = ()) -> "service_pb2.ModelInferResponse":
        request = service_pb2.ModelInferRequest(model_name="plain", id="7")
        request.inputs.add(name="response", datatype="BYTES", shape=(1, 1))
        request.raw_input_contents.append((3).to_bytes(4, "little") + b"abc")
        return await service_pb2_grpc.GRPCInferenceServiceStub(self.channel).ModelInfer(request, metadata=metadata)


@asynccontextmanager
async def repeating(**overrides: Any) -> AsyncIterator[Repeating]:
    settings, models, metrics = Settings(**overrides), Versioned(), Metrics()
    runtime = EffectsRuntime(CachedScorer(models, MemoryCache(1000, 60, observer=metrics)))
    gateway = Gateway(load_book(RECIPES, KNOWN), runtime, metrics)
    metrics.rewards.register(gateway.book.plans)
    traffic, answers = Traffic.of(settings, metrics), KeptAnswers(gateway, settings)
    protocol = OpenInference(gateway, settings)
    inference = oip.InferenceService(gateway, protocol, settings, traffic, metrics, answers=answers)
    more = [(oip.SERVICE, inference.handler())]
    running = await server.start(gateway, settings, traffic, metrics, more, port=0, answers=answers)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        try:
            yield Repeating(channel, gateway, models, answers, metrics)
        finally:
            await running.stop(0)
            await gateway.close()


def without_times(answer: pb.ScoreResponse) -> bytes:
    assert answer.timing_ms.total > 0
    rest = pb.ScoreResponse()
    rest.CopyFrom(answer)
    rest.ClearField("timing_ms")
    return rest.SerializeToString(deterministic=True)


@pytest.mark.parametrize("reward", ["plain", "mixed", "in_groups"])
async def test_the_third_message_is_not_scored_and_answered_as_the_second(reward: str) -> None:
    async with repeating() as served:
        first, *more = [await served.score(reward) for _ in range(4)]
        assert served.scored == [reward] * 2
        assert len({without_times(answer) for answer in more}) == 1
        assert [result.reward for result in more[-1].results] == [result.reward for result in first.results]
        assert more[-1].usage.cache_hits == 2
        assert 0 < more[-1].timing_ms.cache <= more[-1].timing_ms.total
        assert more[-1].timing_ms.decode == more[-1].timing_ms.inference == more[-1].timing_ms.combine == 0


async def test_every_message_is_counted_and_monitored() -> None:
    def read_counts(served: Repeating) -> dict[str, float]:
        rows = [row.rsplit(" ", 1) for row in served.metrics.render().decode().splitlines()]
        timed = ("_seconds", "_created", "in_flight")
        return {
            name: float(value)
            for name, value in rows
            if name.startswith("reward_gateway_") and not any(word in name for word in timed)
        }

    pages = []
    async with repeating(cache_memory_entries=0) as anew, repeating() as kept:
        for served in (anew, kept):
            for _ in range(5):
                await served.score("mixed")
                await served.infer()
            pages.append(read_counts(served))
    assert (len(anew.scored), len(kept.scored)) == (10, 4), "an answer is kept when its request comes again"
    assert pages[0] == pages[1]
    assert pages[0]['reward_gateway_samples_total{reward="mixed"}'] == 10


async def test_a_tensor_message_gets_its_answer_again_and_is_in_the_statistics_of_its_model() -> None:
    async with repeating() as served:
        answers = [await served.infer() for _ in range(4)]
        assert served.scored == ["plain"] * 2
        assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1
        asked = service_pb2.ModelStatisticsRequest(name="plain")
        stub = service_pb2_grpc.GRPCInferenceServiceStub(served.channel)
        (row,) = (await stub.ModelStatistics(asked)).model_stats
        assert (row.inference_count, row.execution_count, row.inference_stats.success.count) == (4, 4, 4)


@pytest.mark.parametrize("metadata", [(("x-run", "A"),), (("idempotency-key", "k"),)])
async def test_a_message_of_another_run_and_one_with_a_key_are_scored(metadata: Any) -> None:
    async with repeating() as served:
        for _ in range(3):
            await served.score()
            await served.infer()
        scored = len(served.scored)
        await served.score(metadata=metadata)
        await served.infer(metadata=metadata)
        assert len(served.scored) == scored + 2


async def test_another_caller_gets_no_answer_of_the_first(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(KEYS)
    file.chmod(0o600)
    async with repeating(api_keys_file=file) as served:
        for _ in range(3):
            await served.score(metadata=ALICE)
        assert len(served.scored) == 2
        await served.score(metadata=BOB)
        assert len(served.scored) == 3


@pytest.mark.parametrize("cache", ["CACHE_OFF", "CACHE_REFRESH"])
async def test_what_does_not_follow_from_the_cache_is_scored_each_time(cache: str) -> None:
    options = pb.Options(cache=cache)
    async with repeating() as served:
        for _ in range(3):
            await served.score(options=options)
        assert len(served.scored) == 3
        assert len(served.answers) == 0


async def test_a_refreshed_score_is_answered_from_then_on() -> None:
    async with repeating() as served:
        for _ in range(3):
            await served.score()
        await served.score(options=pb.Options(cache="CACHE_REFRESH"))
        await served.score()
        assert len(served.scored) == 4


@pytest.mark.parametrize("method", ["score", "infer"])
async def test_answers_are_kept_where_the_server_was_told(method: str) -> None:
    """An empty memory of them counts as one: HTTP has the same, and a refresh empties it for both."""
    async with repeating() as served:
        for _ in range(3):
            await getattr(served, method)()
        assert len(served.answers) == 1


async def test_another_version_of_the_model_answers_anew() -> None:
    async with repeating() as served:
        for _ in range(3):
            await served.score()
        served.models.version = "2"
        (first, _) = (await served.score()).results
        assert len(served.scored) == 3
        assert first.components["quality"].model_version == "2"
