"""A call is freed when it is answered: nothing of it waits for a collection of garbage, which stops all others.

Of a call that is aborted, grpc.aio itself keeps the exception, and with it the call.
"""

from typing import Any

import pytest
from reward_gateway.grpc.calls import Call
from reward_gateway.proto import reward_pb2 as pb

from tests.garbage import count

pytestmark = pytest.mark.anyio

CALLS = 20


@pytest.mark.usefixtures("uncollected")
async def test_no_call_waits_to_be_collected(served: Any) -> None:
    request = pb.ScoreRequest(samples=[pb.Sample(prompt="p", response="abc")])
    before = count(Call)
    for _ in range(CALLS):
        await served.stub.Score(request)
    assert count(Call) - before <= 2


@pytest.mark.usefixtures("uncollected")
async def test_no_stream_waits_to_be_collected(served: Any) -> None:
    before = count(Call)
    for _ in range(CALLS):
        stream = served.stub.ScoreStream()
        await stream.write(pb.ScoreStreamRequest(sample=pb.Sample(response="abc")))
        await stream.done_writing()
        async for _answer in stream:
            pass
    assert count(Call) - before <= 2
