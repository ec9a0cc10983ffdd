"""Faults that a real Triton cannot be made to show, shown by a server that answers as a test wants."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import numpy as np
import pytest
from reward_gateway.backends.triton.servers import TritonServers
from reward_gateway.sample import Batch
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

from tests.backends.triton.opening import open_tritons
from tests.clock import Clock, until

pytestmark = pytest.mark.anyio

TTL_S = 3600.0

Infer = Callable[[Any, Any], Awaitable[Any]]


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """One model ``m`` whose infer calls a test answers; counts what it is asked."""

    def __init__(self) -> None:
        self.infer: Infer = self.score
        self.asked = 0
        self.looked_up = 0
        self.version = "1"

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:
        self.looked_up += 1
        answer = service_pb2.RepositoryIndexResponse()
        answer.models.add(name="m", version=self.version, state="READY")
        return answer

    async def ModelConfig(self, request: Any, context: Any) -> Any:
        config = model_config_pb2.ModelConfig(name="m", max_batch_size=64)
        for name in ("prompt", "response"):
            config.input.add(name=name, data_type=model_config_pb2.TYPE_STRING, dims=[1])
        config.output.add(name="score", data_type=model_config_pb2.TYPE_FP32, dims=[1])
        return service_pb2.ModelConfigResponse(config=config)

    async def ModelInfer(self, request: Any, context: Any) -> Any:
        self.asked += 1
        return await self.infer(request, context)

    async def score(self, request: Any, context: Any) -> Any:
        return self.answer(np.ones(request.inputs[0].shape[0], "<f4").tobytes())

    def answer(self, score: bytes, name: str = "score") -> Any:
        answer = service_pb2.ModelInferResponse(model_name="m", model_version=self.version)
        answer.outputs.add(name=name, datatype="FP32")
        answer.raw_output_contents.append(score)
        return answer

    def refuse(self, code: grpc.StatusCode, words: str, times: int = 10**6) -> None:
        left = times

        async def infer(request: Any, context: Any) -> Any:
            nonlocal left
            left -= 1
            if left >= 0:
                await context.abort(code, words)
            return await self.score(request, context)

        self.infer = infer


@pytest.fixture
async def fake() -> AsyncIterator[tuple[FakeTriton, TritonServers]]:
    behind = FakeTriton()
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(behind, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    client = open_tritons(f"127.0.0.1:{port}", info_ttl_s=TTL_S)
    yield behind, client
    await client.close()
    await server.stop(None)


async def reasons(client: TritonServers, rows: int = 1, seconds: float = 600.0) -> list[tuple[str, str]]:
    batch = Batch([""] * rows, [""] * rows, ["a"] * rows)
    answer = await client.score("m", batch, list(range(rows)), asyncio.get_running_loop().time() + seconds)
    return [(reason.code, reason.message) for reason in answer.invalid.values()]


@pytest.mark.parametrize(
    ("code", "words", "expected", "calls"),
    [
        (grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size", "overloaded", 1),
        (grpc.StatusCode.UNAVAILABLE, "Request timeout expired", "overloaded", 1),
        (grpc.StatusCode.UNAVAILABLE, "Socket closed", "model_unavailable", 2),
        (grpc.StatusCode.UNAVAILABLE, "Server is stopping, scheduler stopped", "model_unavailable", 2),
        (grpc.StatusCode.NOT_FOUND, "Request for unknown model: 'm' is not found", "model_unavailable", 1),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", "deadline_exceeded", 1),
        (grpc.StatusCode.INTERNAL, "Stub process 'm_0' is not healthy.", "model_unavailable", 1),
        (grpc.StatusCode.INVALID_ARGUMENT, "unexpected shape for input 'prompt'", "model_error", 1),
        (grpc.StatusCode.INTERNAL, "", "model_error", 1),
    ],
)
async def test_each_status_has_its_reason(
    fake: tuple[FakeTriton, TritonServers], code: grpc.StatusCode, words: str, expected: str, calls: int
) -> None:
    behind, client = fake
    behind.refuse(code, words)
    ((said, _),) = await reasons(client)
    assert (said, behind.asked) == (expected, calls)


async def test_a_broken_connection_is_tried_once_more(fake: tuple[FakeTriton, TritonServers]) -> None:
    behind, client = fake
    behind.refuse(grpc.StatusCode.UNAVAILABLE, "Connection reset by peer", times=1)
    assert await reasons(client, rows=3) == []
    assert behind.asked == 2


async def test_a_message_shows_neither_paths_nor_what_was_scored(fake: tuple[FakeTriton, TritonServers]) -> None:
    behind, client = fake
    behind.refuse(grpc.StatusCode.INTERNAL, "failed in /opt/models/m/1/model.py at line 3\n\nAt:\n  /opt/x.py(1): f")
    ((_, said),) = await reasons(client)
    assert said == "m failed: failed in … at line 3."
    behind.refuse(grpc.StatusCode.INTERNAL, "Failed to process, message: KeyError: 'what the user wrote'")
    ((_, said),) = await reasons(client)
    assert said == "m failed: KeyError."


@pytest.mark.parametrize("score", [b"", b"\x00" * 4, b"\x00" * 12, b"\x00" * 7])
async def test_a_score_of_the_wrong_size_is_no_score(fake: tuple[FakeTriton, TritonServers], score: bytes) -> None:
    behind, client = fake

    async def infer(request: Any, context: Any) -> Any:
        return behind.answer(score)

    behind.infer = infer
    assert [code for code, _ in await reasons(client, rows=2)] == ["model_error"] * 2


async def test_an_answer_without_a_score_is_no_score(fake: tuple[FakeTriton, TritonServers]) -> None:
    behind, client = fake

    async def infer(request: Any, context: Any) -> Any:
        return behind.answer(b"\x00" * 4, name="logits")

    behind.infer = infer
    assert [code for code, _ in await reasons(client)] == ["model_error"]


async def test_a_model_that_hangs_is_left_at_the_deadline(fake: tuple[FakeTriton, TritonServers], clock: Clock) -> None:
    behind, client = fake
    ended = asyncio.Event()

    async def infer(request: Any, context: Any) -> Any:
        try:
            await asyncio.sleep(7200)
        finally:
            ended.set()

    behind.infer = infer
    asking = asyncio.ensure_future(reasons(client, seconds=3600))
    await until(lambda: behind.asked)
    await clock.advance(3601)
    assert [code for code, _ in await asking] == ["deadline_exceeded"]
    await ended.wait()  # the server is told


async def test_an_answer_of_another_version_is_labelled_so_and_looked_up_anew(
    fake: tuple[FakeTriton, TritonServers],
) -> None:
    behind, client = fake
    assert (await client.info("m")).version == "1"
    behind.version = "2"
    batch = Batch(["0"], [""], ["a"])
    answer = await client.score("m", batch, [0], asyncio.get_running_loop().time() + 600)
    assert answer.version == "2"
    assert (await client.info("m")).version == "2"


async def test_lookups_at_the_same_time_are_one(fake: tuple[FakeTriton, TritonServers]) -> None:
    behind, client = fake
    await asyncio.gather(*(client.info("m") for _ in range(50)))
    assert behind.looked_up == 1


async def test_nobody_waits_for_a_picture_that_has_just_expired(
    fake: tuple[FakeTriton, TritonServers], clock: Clock
) -> None:
    behind, client = fake
    await client.info("m")
    behind.version = "2"
    await clock.advance(1.5 * TTL_S)
    assert (await client.info("m")).version == "1"
    while (await client.info("m")).version == "1":
        await asyncio.sleep(0.002)
    assert (await client.info("m")).version == "2"
    assert behind.looked_up == 2


async def test_a_caller_that_goes_away_does_not_end_the_lookup_of_others(
    fake: tuple[FakeTriton, TritonServers],
) -> None:
    _, client = fake
    gone, stays = asyncio.ensure_future(client.info("m")), asyncio.ensure_future(client.info("m"))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays).name == "m"
