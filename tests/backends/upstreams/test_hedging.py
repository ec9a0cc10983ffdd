"""A call that takes long is sent to a second replica, seldom, and the first answer counts."""

import asyncio

import pytest
from reward_gateway.backends.upstreams import hedging
from reward_gateway.backends.upstreams.hedging import Hedging
from starlette.responses import Response

from .conftest import FakeServer, OpenUpstreams, StartServer, entry, soon, texts

pytestmark = pytest.mark.anyio


def samples_of(server: FakeServer) -> int:
    return sum("sample" in str(body) for body in server.asked)


def test_nothing_is_sent_twice_before_the_times_of_calls_are_known() -> None:
    known = Hedging()
    for _ in range(hedging.FEWEST - 1):
        assert known.begin_call() is None
        known.note_answer(0.1)
    known.note_answer(2.0)
    assert known.begin_call() == 0.1


def test_the_time_is_that_in_which_nearly_all_calls_were_answered() -> None:
    known = Hedging()
    for seconds in range(1, 101):
        known.note_answer(float(seconds))
    assert known.begin_call() == 95.0


def test_a_twentieth_of_the_calls_at_most_are_sent_twice() -> None:
    known = Hedging()
    sent = 0
    for _ in range(1000):
        known.begin_call()
        sent += known.take_further_call()
    assert sent == 50


@pytest.fixture
def hedged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hedging, "FEWEST", 1)
    monkeypatch.setattr(hedging, "SHARE", 1.0)


@pytest.mark.usefixtures("hedged")
async def test_a_second_replica_answers_for_one_that_hangs(start: StartServer, upstreams: OpenUpstreams) -> None:
    slow, quick = await start("vllm"), await start("vllm")
    models = upstreams(rm=entry([slow, quick], "vllm_classify", hedge=True))
    batch = texts(*(("p", f"sample {k}") for k in range(8)))
    for k in range(4):
        await models.score("rm", batch, [k], soon())
    slow.holds = "sample"
    async with asyncio.timeout(60):
        answers = [await models.score("rm", batch, [k], soon()) for k in range(4, 8)]
    assert all(answer.invalid == {} for answer in answers)
    assert samples_of(quick) >= 4


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
