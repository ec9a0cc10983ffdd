"""What calls that wait make the gateway hold, before it has looked at their messages."""

import asyncio
from typing import Any

import grpc
import psutil
import pytest
from reward_gateway.proto import reward_pb2 as pb

from tests.chaos.callers import Ledger, make_responses
from tests.chaos.conftest import GiveVerdict
from tests.chaos.stacks import WITHOUT_TRITON, ChaosStack, Launch
from tests.chaos.verdicts import at_most, exactly

pytestmark = [pytest.mark.stack, pytest.mark.anyio]

SCORE = "/reward_gateway.v1.RewardService/Score"
SILENT, CALLS, CONNECTIONS = 8, 30, 4
"""Calls that send no message and hold the places that one caller may have; calls behind them; their connections."""


@pytest.fixture
def without_triton(launch: Launch) -> ChaosStack:
    return launch(*WITHOUT_TRITON)


async def test_messages_of_calls_that_wait(without_triton: ChaosStack, ledger: Ledger, verdict: GiveVerdict) -> None:
    worker = psutil.Process(without_triton.workers()[0])
    texts = [f"{'x' * 2048} {text}" for text in make_responses(0, 4096)]
    samples = [pb.Sample(prompt="p", response=text) for text in texts]
    message = pb.ScoreRequest(reward="rule", samples=samples).SerializeToString()
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    channels: list[Any] = [grpc.aio.insecure_channel(without_triton.grpc, options) for _ in range(CONNECTIONS)]
    silent = [channels[0].stream_unary(SCORE)() for _ in range(SILENT)]
    await asyncio.sleep(3.0)
    before = most = worker.memory_info().rss
    calls = [asyncio.ensure_future(channels[turn % CONNECTIONS].unary_unary(SCORE)(message)) for turn in range(CALLS)]
    for _ in range(30):
        await asyncio.sleep(0.2)
        most = max(most, worker.memory_info().rss)
    answered_early = sum(call.done() for call in calls)
    for call in silent:
        call.cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    right = [-float(len(text.split())) for text in texts]
    for answer in answers:
        assert isinstance(answer, bytes), answer
        ledger.note_answer(200, 0.0, None, "")
        ledger.note_rewards(right, [result.reward for result in pb.ScoreResponse.FromString(answer).results])
    for channel in channels:
        await channel.close()
    sent = f"memory for {CALLS} calls of {len(message) / 2**20:.0f} MiB that wait"
    verdict(sent, (most - before) / 2**20, at_most(40), "MiB")
    verdict("of them answered before their turn", answered_early, exactly(0), "")
