"""The gateway's CPU per gRPC message, beside a bare ``grpc.aio`` server that answers the same bytes.

    python loadtests/bench_grpc.py [--pairs 7] [--messages 3000] [--root TREE]

Every cached score comes from memory; beside messages that come again byte for byte stand those with ids of their own,
of which only the scores were seen before. Each pair measures the gateway and the bare server, one after the other, and
what is reported is the median of the pairs' ratios with their spread: a machine's own speed changes, the ratio hardly
does. The last lines count the infer calls per request while the scores are in no cache, over gRPC and over HTTP.
"""

import argparse
import asyncio
import base64
import json
import random
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import bench_stack
import grpc
import uvloop
from bench_stack import TRIVIAL, Bench, cpu_seconds
from generator import Connection
from generator import request as http_request
from reward_gateway.proto import reward_pb2
from tritonclient.grpc import service_pb2

IN_FLIGHT = 64
"""Calls, or messages of a stream, that are under way at once."""

ECHO_PORT = 18482
SCORE, INFER = "/reward_gateway.v1.RewardService/Score", "/inference.GRPCInferenceService/ModelInfer"
STREAM = "/reward_gateway.v1.RewardService/ScoreStream"
PROMPT, RESPONSE = "How do I boil an egg?", "Put it in boiling water for 8 minutes."
_numbers = count()

Channel = Any
"""A ``grpc.aio.Channel``, of which the stubs demand what may be left out."""

Work = Callable[[Channel, int], Awaitable[None]]


# The bare server


async def echo(port: int, replies: dict[str, bytes]) -> None:
    """Answer every message of a method with the same bytes, and read none of it."""

    def unary(reply: bytes) -> Any:
        async def answer(_request: bytes, _context: Any) -> bytes:
            return reply

        return grpc.unary_unary_rpc_method_handler(answer)

    def stream(reply: bytes) -> Any:
        async def answer(requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
            async for _ in requests:
                yield reply

        return grpc.stream_stream_rpc_method_handler(answer)

    server = grpc.aio.server()
    for path, reply in replies.items():
        service, method = path.strip("/").split("/")
        handler = (stream if path == STREAM else unary)(reply)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


@contextmanager
def echoing(replies: dict[str, bytes]) -> Iterator[int]:
    """Run the bare server in a process of its own; yields its process id."""
    encoded = json.dumps({path: base64.b64encode(reply).decode() for path, reply in replies.items()})
    process = subprocess.Popen([sys.executable, __file__, "--echo", encoded])
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


# The client


def sample(text: str = RESPONSE, name: str | None = None) -> reward_pb2.Sample:
    return reward_pb2.Sample(prompt=PROMPT, response=text, id=name)


def score_request(text: str = RESPONSE, name: str | None = None) -> bytes:
    return bytes(reward_pb2.ScoreRequest(reward=TRIVIAL, samples=[sample(text, name)]).SerializeToString())


def infer_request(name: str = "") -> bytes:
    """A request of the Open Inference Protocol, as ``tritonclient`` makes it."""
    request = service_pb2.ModelInferRequest(model_name=TRIVIAL, id=name)
    for field, text in (("prompt", PROMPT), ("response", RESPONSE)):
        request.inputs.add(name=field, datatype="BYTES", shape=(1, 1))
        request.raw_input_contents.append(len(text).to_bytes(4, "little") + text.encode())
    return bytes(request.SerializeToString())


def stream_request(first: bool) -> bytes:
    message = reward_pb2.ScoreStreamRequest(sample=sample(), reward=TRIVIAL if first else "")
    return bytes(message.SerializeToString())


def calls(path: str, make: Callable[[], bytes]) -> Work:
    """Unary calls, so many at a time; ``make`` makes the bytes of each."""

    async def work(channel: Channel, messages: int) -> None:
        send = channel.unary_unary(path)

        async def caller(times: int) -> None:
            for _ in range(times):
                await send(make())

        await asyncio.gather(*(caller(messages // IN_FLIGHT) for _ in range(IN_FLIGHT)))

    return work


def streams(number: int) -> Work:
    """So many streams, which share the messages."""
    first, further = stream_request(True), stream_request(False)

    async def one(channel: Channel, messages: int) -> None:
        stream = channel.stream_stream(STREAM)()
        places = asyncio.Semaphore(IN_FLIGHT)

        async def write() -> None:
            for i in range(messages):
                await places.acquire()
                await stream.write(further if i else first)
            await stream.done_writing()

        writing = asyncio.create_task(write())
        async for _ in stream:
            places.release()
        await writing

    async def work(channel: Channel, messages: int) -> None:
        await asyncio.gather(*(one(channel, messages // number) for _ in range(number)))

    return work


def new_name() -> str:
    """An id that no message had before."""
    return f"{next(_numbers):08d}"


def unseen() -> str:
    """A response that was never scored before."""
    return f"{RESPONSE} {next(_numbers)} {random.random()}"


async def post_unseen(url: str, messages: int) -> None:
    async def caller(times: int) -> None:
        connection = Connection(f"{url}/v1/score")
        for _ in range(times):
            body = {"reward": TRIVIAL, "samples": [{"prompt": PROMPT, "response": unseen()}]}
            await connection.send(http_request(f"{url}/v1/score", json.dumps(body).encode()))

    await asyncio.gather(*(caller(messages // IN_FLIGHT) for _ in range(IN_FLIGHT)))


# What is measured

CACHED = {
    "Score": calls(SCORE, score_request),
    "ModelInfer": calls(INFER, infer_request),
    "Score, own ids": calls(SCORE, lambda: score_request(name=new_name())),
    "ModelInfer, own ids": calls(INFER, lambda: infer_request(new_name())),
    "ScoreStream, one": streams(1),
    "ScoreStream, eight": streams(8),
}


async def compare(bench: Bench, pairs: int, messages: int, only: str) -> None:
    """CPU per message of each kind of call, in pairs."""
    ours: Channel = grpc.aio.insecure_channel(bench.grpc)
    replies = {
        path: await ours.unary_unary(path)(make()) for path, make in ((SCORE, score_request), (INFER, infer_request))
    }
    stream = ours.stream_stream(STREAM)(iter([stream_request(True)]))
    replies[STREAM] = await stream.read()
    stream.cancel()
    with echoing(replies) as pid:
        bare: Channel = grpc.aio.insecure_channel(f"127.0.0.1:{ECHO_PORT}")
        await bare.channel_ready()
        for name, work in CACHED.items():
            if only not in name:
                continue
            spent: list[tuple[float, float]] = []
            for pair in range(pairs + 1):
                began = bench.cpu_seconds()
                await work(ours, messages)
                between, bare_began = bench.cpu_seconds(), cpu_seconds(pid)
                await work(bare, messages)
                if pair:  # the first warms up
                    spent.append(((between - began) / messages, (cpu_seconds(pid) - bare_began) / messages))
            ratios = sorted(gateway / echo for gateway, echo in spent)
            ours_us, bare_us = (statistics.median(column) * 1e6 for column in zip(*spent, strict=True))
            print(
                f"{name:20} {ours_us:7.1f} µs, bare {bare_us:7.1f} µs: "
                f"{statistics.median(ratios):5.2f} times ({ratios[0]:.2f} to {ratios[-1]:.2f})",
                flush=True,
            )
        await bare.close()
    await ours.close()


async def count_infer_calls(bench: Bench, messages: int) -> None:
    """Infer calls per request of one sample that is in no cache."""
    channel: Channel = grpc.aio.insecure_channel(bench.grpc)
    work = calls(SCORE, lambda: score_request(unseen()))
    posts: dict[str, Callable[[], Awaitable[None]]] = {
        "gRPC": partial(work, channel, messages),
        "HTTP": partial(post_unseen, bench.http, messages),
    }
    for name, post in posts.items():
        await post()
        made, began = bench.counter("reward_gateway_model_calls_total"), bench.cpu_seconds()
        await post()
        spent = (bench.cpu_seconds() - began) / messages
        made = bench.counter("reward_gateway_model_calls_total") - made
        print(f"cold over {name}: {made / messages:.3f} infer calls per request, {spent * 1e6:.1f} µs", flush=True)
    await channel.close()


async def measure(bench: Bench, arguments: argparse.Namespace) -> None:
    messages = arguments.messages // IN_FLIGHT * IN_FLIGHT
    await compare(bench, arguments.pairs, messages, arguments.only)
    if not arguments.only or arguments.only == "cold":
        await count_infer_calls(bench, messages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--only", default="", help="kinds of calls whose names hold this; cold: the infer calls alone")
    parser.add_argument("--root", type=Path, default=bench_stack.ROOT, help="the source tree that is measured")
    parser.add_argument("--echo", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.echo:
        replies = {path: base64.b64decode(reply) for path, reply in json.loads(arguments.echo).items()}
        uvloop.run(echo(ECHO_PORT, replies))
        return
    with bench_stack.running(root=arguments.root, more={"cache-memory-entries": 100_000}) as bench:
        uvloop.run(measure(bench, arguments))


if __name__ == "__main__":
    main()
