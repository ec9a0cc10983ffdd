"""A call that takes long is sent to a second replica, and the first answer counts."""

import asyncio

import pytest
from reward_gateway.backends import hedging
from reward_gateway.telemetry.metrics import Metrics
from starlette.responses import Response

from .conftest import FakeServer, OpenUpstreams, StartServer, entry, soon, texts

pytestmark = pytest.mark.anyio


def samples_of(server: FakeServer) -> int:
    return sum("sample" in str(body) for body in server.asked)


@pytest.fixture
def hedged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hedging, "FEWEST", 1)
    monkeypatch.setattr(hedging, "SHARE", 1.0)


@pytest.mark.usefixtures("hedged")
async def test_a_second_replica_answers_for_one_that_hangs(start: StartServer, upstreams: OpenUpstreams) -> None:
    slow, quick = await start("vllm"), await start("vllm")
    metrics = Metrics()
    models = upstreams(metrics, rm=entry([slow, quick], "vllm_classify", hedge=True))
    batch = texts(*(("p", f"sample {k}") for k in range(8)))
    for k in range(4):
        await models.score("rm", batch, [k], soon())
    slow.holds = "sample"
    async with asyncio.timeout(60):
        answers = [await models.score("rm", batch, [k], soon()) for k in range(4, 8)]
    assert all(answer.invalid == {} for answer in answers)
    assert samples_of(quick) >= 4
    page = metrics.render().decode()
    assert 'reward_gateway_hedged_calls_total{kind="upstream",name="rm",outcome="won"}' in page


@pytest.mark.usefixtures("hedged")
async def test_what_fails_everywhere_fails(start: StartServer, upstreams: OpenUpstreams) -> None:
    servers = [await start("vllm") for _ in range(2)]
    models = upstreams(rm=entry(servers, "vllm_classify", hedge=True))
    batch = texts(("p", "sample 0"), ("p", "sample 1"))
    await models.score("rm", batch, [0], soon())
    for server in servers:
        server.fault = lambda path, body: Response(b"", 500) if "sample" in str(body) else None
    answer = await models.score("rm", batch, [1], soon())
    assert answer.invalid[0].code in ("model_unavailable", "model_error")
