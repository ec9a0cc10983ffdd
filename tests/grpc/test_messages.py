"""What is received of a call, and when: nothing of one that is refused, and no more at once than there are places."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from reward_gateway.proto import reward_pb2 as pb

from tests.clock import Clock, until

from .conftest import Serve

pytestmark = pytest.mark.anyio

SCORE = "/reward_gateway.v1.RewardService/Score"
MESSAGE = pb.ScoreRequest(samples=[pb.Sample(response="four")])


class Sender:
    """A call whose message is not sent before :meth:`send`; on the wire it is a call of one message like any other."""

    def __init__(self, channel: Any, path: str = SCORE, key: str = "") -> None:
        self.call: Any = channel.stream_unary(path)(metadata=(("x-api-key", key),) if key else ())
        self.code = asyncio.ensure_future(self.call.code())

    async def send(self) -> None:
        await self.call.write(MESSAGE.SerializeToString())
        await self.call.done_writing()

    async def answer(self) -> pb.ScoreResponse:
        return pb.ScoreResponse.FromString(await self.call)

    async def leave(self) -> None:
        self.call.cancel()
        with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
            await self.call


async def test_a_call_without_a_key_is_refused_before_its_message_is_received(serve: Serve, tmp_path: Path) -> None:
    async with serve(api_keys_file=write_keys(tmp_path)) as served:
        assert await Sender(served.channel).code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_call_that_would_wait_too_long_is_refused_before_its_message_is_received(serve: Serve) -> None:
    async with serve(max_in_flight=1, max_queued=0) as served:
        served.models.gate.shut()
        first = asyncio.ensure_future(served.stub.Score(MESSAGE))
        await until(lambda: served.models.calls)
        refused = Sender(served.channel)
        assert await refused.code is grpc.StatusCode.UNAVAILABLE
        assert dict(await refused.call.trailing_metadata())["retry-after"] == "1"
        stream = served.stub.ScoreStream()
        assert await stream.code() is grpc.StatusCode.UNAVAILABLE
        served.models.gate.open()
        await first


async def test_a_caller_that_sends_slowly_keeps_no_other_out(serve: Serve, tmp_path: Path) -> None:
    limits = {"max_body_bytes": 1 << 20, "max_body_bytes_in_flight": 4 << 20}
    async with serve(api_keys_file=write_keys(tmp_path), **limits) as served:
        messages = served.traffic.messages
        slow = [Sender(served.channel, key="slow-secret")]
        await until(lambda: messages.held == 1)  # calls that begin together may arrive in any order
        slow += [Sender(served.channel, key="slow-secret") for _ in range(4)]
        await until(lambda: (messages.held, messages.waiting) == (2, 3))
        other = await served.stub.Score(MESSAGE, metadata=(("x-api-key", "other-secret"),))
        assert other.results[0].reward == 4
        await slow[0].send()
        assert (await slow[0].answer()).results[0].reward == 4
        await until(lambda: (messages.held, messages.waiting) == (2, 2))
        for sender in slow[1:]:
            await sender.leave()
        await until(lambda: (messages.held, messages.waiting) == (0, 0))
        assert served.traffic.bodies.held == 0


async def test_a_message_that_does_not_arrive_by_its_deadline_is_given_up(serve: Serve, clock: Clock) -> None:
    async with serve(default_deadline_s=3600, max_deadline_s=3600) as served:
        sender = Sender(served.channel)
        await until(lambda: served.traffic.messages.held == 1)
        await clock.advance(3601)
        assert await sender.code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert served.traffic.messages.held == 0
        assert (await served.stub.Score(MESSAGE)).results[0].reward == 4


async def test_a_probe_that_sends_nothing_is_given_up_and_keeps_no_other_waiting(serve: Serve, clock: Clock) -> None:
    async with serve(body_grace_s=3600, default_deadline_s=7200, max_deadline_s=7200) as served:
        path = "/grpc.health.v1.Health/Check"
        silent = Sender(served.channel, path)
        check = await health_pb2_grpc.HealthStub(served.channel).Check(health_pb2.HealthCheckRequest())
        assert check.status == health_pb2.HealthCheckResponse.SERVING
        await clock.advance(3601)
        assert await silent.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_what_calls_hold_is_charged_until_they_are_answered(serve: Serve) -> None:
    async with serve() as served:
        bodies = served.traffic.bodies
        served.models.gate.shut()
        call = asyncio.ensure_future(served.stub.Score(MESSAGE))
        stream = served.stub.ScoreStream()
        await stream.write(pb.ScoreStreamRequest(sample=pb.Sample(response="fives")))
        await until(lambda: len(served.models.calls) == 2)
        assert bodies.held > MESSAGE.ByteSize()
        served.models.gate.open()
        await call
        await stream.done_writing()
        assert (await stream.read()).result.reward == 5
        await until(lambda: bodies.held == 0)


async def test_a_stream_that_holds_too_much_is_told_when_to_come_again(serve: Serve) -> None:
    async with serve(max_body_bytes=2000, max_body_bytes_in_flight=2000) as served:
        served.models.gate.shut()
        stream, message = served.stub.ScoreStream(), pb.ScoreStreamRequest(sample=pb.Sample(response="x" * 1000))
        await stream.write(message)
        await until(lambda: served.models.calls)  # its sample is held until the model answers
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await stream.write(message)
        assert await stream.code() is grpc.StatusCode.UNAVAILABLE
        assert dict(await stream.trailing_metadata())["retry-after"] == "1"
        await until(lambda: served.traffic.bodies.held == 0)
        served.models.gate.open()


async def test_no_more_connections_are_taken_than_may_be_open(serve: Serve) -> None:
    async with serve(max_connections=2) as served, contextlib.AsyncExitStack() as opened:

        async def connect() -> asyncio.StreamReader:
            reader, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
            opened.callback(writer.close)
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))  # empty settings
            return reader

        first, second = await connect(), await connect()
        assert await first.read(9)
        assert await second.read(9)
        third = await connect()
        with contextlib.suppress(ConnectionError):
            assert await third.read() == b""


def write_keys(folder: Path) -> Path:
    file = folder / "keys.yaml"
    file.write_text("keys:\n- {name: slow, key: slow-secret}\n- {name: other, key: other-secret}\n")
    file.chmod(0o600)
    return file
