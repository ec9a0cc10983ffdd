"""A judge with several addresses: who is asked, what is sent twice, and what that costs."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from reward_gateway.backends import hedging
from reward_gateway.backends.judges.config import JudgeConfig
from reward_gateway.backends.judges.judges import Judges
from reward_gateway.backends.judges.questions import CacheUse
from reward_gateway.cache.breaker import Breaker
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cache.texts import TextCache
from reward_gateway.sample import Invalid
from reward_gateway.telemetry.metrics import Metrics
from starlette.responses import JSONResponse, Response

from tests.clock import Clock, until

from .conftest import FakeJudge, serve_judge

pytestmark = pytest.mark.anyio

AWAY = "http://127.0.0.1:9"
PAUSE_S = 3600.0
"""How long a replica that does not answer is left alone."""

USAGE = {"prompt_tokens": 100_000, "completion_tokens": 10_000}
PRICE = {"input": 2.0, "output": 10.0}
"""An answer with that usage costs 0.3."""


@pytest.fixture
async def other() -> AsyncIterator[FakeJudge]:
    """A second replica."""
    async with serve_judge() as judge:
        yield judge


@pytest.fixture
def hedged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call may be sent twice as soon as one was answered, and every call may."""
    monkeypatch.setattr(hedging, "FEWEST", 1)
    monkeypatch.setattr(hedging, "SHARE", 1.0)


@asynccontextmanager
async def judging(
    urls: Sequence[str],
    failures: int = 1,
    metrics: Metrics | None = None,
    answers: TextCache | None = None,
    **settings: Any,
) -> AsyncIterator[Judges]:
    config = JudgeConfig(name="j", urls=tuple(urls), model="m", **{"retries": 0, **settings})
    observer = metrics or Metrics()
    observer.models.register(["j"])
    clock = asyncio.get_running_loop().time
    judges = Judges(
        [config],
        lambda changed: Breaker(failures, clock, pause_s=PAUSE_S, max_pause_s=PAUSE_S, changed=changed),
        observer,
        answers,
    )
    try:
        yield judges
    finally:
        await judges.close()


def says(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def priced(body: dict[str, Any]) -> Response:
    return JSONResponse({"model": "m-1", "choices": [{"message": {"content": "YES"}}], "usage": USAGE})


def total(metrics: Metrics, name: str, /, **labels: str) -> float:
    metrics.render()
    value = metrics.registry.get_sample_value(f"reward_gateway_{name}", labels)
    return value or 0.0


async def test_questions_are_spread_over_the_replicas(fake: FakeJudge, other: FakeJudge) -> None:
    async with judging([fake.url, other.url]) as judges:
        assert await judges.ask("j", [says(f"q{i}") for i in range(8)]) == ["YES"] * 8
    assert (len(fake.bodies), len(other.bodies)) == (4, 4)


async def test_the_one_with_the_fewest_questions_under_way_is_asked(fake: FakeJudge, other: FakeJudge) -> None:
    fake.slow_s = 3600.0
    async with judging([fake.url, other.url]) as judges:
        held = asyncio.create_task(judges.ask("j", [says("a"), says("b")]))
        await until(lambda: fake.running == 1 and len(other.bodies) == 1)
        for i in range(4):
            assert await judges.ask("j", [says(f"q{i}")]) == ["YES"]
        held.cancel()
    assert len(fake.bodies) == 1


async def test_what_replicas_do_is_told(fake: FakeJudge) -> None:
    metrics = Metrics()
    labels = {"judge": "j", "replica": urlsplit(fake.url).netloc}
    away = {"judge": "j", "replica": urlsplit(AWAY).netloc}
    async with judging([AWAY, fake.url], metrics=metrics) as judges:
        assert await judges.ask("j", [says(f"q{i}") for i in range(3)]) == ["YES"] * 3
        assert total(metrics, "judge_calls_total", **labels, outcome="ok") == 3
        assert total(metrics, "judge_calls_total", **away, outcome="judge_error") >= 1
        assert total(metrics, "judge_call_duration_seconds_count", **labels) == 3
        assert total(metrics, "judge_calls_in_flight", **labels) == 0
        assert [total(metrics, "judge_breaker_open", **each) for each in (labels, away)] == [0, 1]
    assert total(metrics, "judge_breaker_open", **away) == 0, "what is closed is watched no more"


async def test_a_replica_that_is_down_is_passed_over(fake: FakeJudge) -> None:
    async with judging([AWAY, fake.url]) as judges:
        assert await judges.ask("j", [says(f"q{i}") for i in range(6)]) == ["YES"] * 6
    assert len(fake.bodies) == 6


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_question_that_fails_goes_to_the_next_replica_at_once(
    fake: FakeJudge, other: FakeJudge, status: int
) -> None:
    fake.reply = lambda body: Response(status_code=status, headers={"retry-after": "3600"})
    async with judging([fake.url, other.url]) as judges:
        for i in range(4):
            assert await judges.ask("j", [says(f"q{i}")]) == ["YES"]
    assert len(other.bodies) == 4


async def test_a_question_that_fails_everywhere_fails(fake: FakeJudge, other: FakeJudge) -> None:
    fake.reply = other.reply = lambda body: Response(status_code=500)
    async with judging([fake.url, other.url], failures=100) as judges:
        (answer,) = await judges.ask("j", [says("q")])
    assert answer == Invalid("judge_error", "the judge j failed with status 500")
    assert (len(fake.bodies), len(other.bodies)) == (1, 1)


async def test_a_refusal_is_not_asked_elsewhere(fake: FakeJudge, other: FakeJudge) -> None:
    fake.reply = other.reply = lambda body: Response(status_code=403)
    async with judging([fake.url, other.url]) as judges:
        await judges.ask("j", [says("q")])
    assert len(fake.bodies) + len(other.bodies) == 1


async def test_a_replica_that_is_back_is_found_by_a_copy_that_nobody_waits_for(
    fake: FakeJudge, other: FakeJudge, clock: Clock
) -> None:
    fake.reply = lambda body: Response(status_code=500)
    async with judging([fake.url, other.url]) as judges:
        for i in range(4):
            assert await judges.ask("j", [says(f"q{i}")]) == ["YES"]
        assert len(fake.bodies) == 1
        fake.reply, fake.slow_s = (lambda body: "NO"), 0.0
        await clock.advance(PAUSE_S + 1)
        assert await judges.ask("j", [says("back?")]) == ["YES"]  # of the replica that is known to answer
        await until(lambda: "back?" in fake.questions and not fake.running)
        async with asyncio.timeout(60):
            while (await judges.ask("j", [says("x"), says("y")])).count("NO") == 0:
                await asyncio.sleep(0.01)


async def test_where_all_are_away_the_judge_is_not_called_until_one_may_be_back(
    fake: FakeJudge, other: FakeJudge, clock: Clock
) -> None:
    fake.reply = other.reply = lambda body: Response(status_code=500)
    async with judging([fake.url, other.url]) as judges:
        assert not judges.away
        await judges.ask("j", [says("q")])
        (answer,) = await judges.ask("j", [says("q")])
        assert answer == Invalid("judge_error", "the judge j has failed repeatedly and is not called for a moment")
        assert [*judges.away] == ["j"]
        fake.reply = other.reply = lambda body: "YES"
        await clock.advance(PAUSE_S + 1)
        assert await judges.ask("j", [says("q")]) == ["YES"]
        assert not judges.away


@pytest.mark.usefixtures("hedged_at_once")
async def test_a_slow_question_goes_to_another_replica_too_and_both_are_charged(
    fake: FakeJudge, other: FakeJudge
) -> None:
    fake.reply = other.reply = priced
    metrics = Metrics()
    async with judging([fake.url, other.url], metrics=metrics, hedge=True, price=PRICE, daily_budget=10.0) as judges:
        await judges.ask("j", [says("first"), says("second")])
        fake.slow_s = 3600.0
        async with asyncio.timeout(60):
            assert await judges.ask("j", [says("third"), says("fourth")]) == ["YES", "YES"]
    sent, won = (
        total(metrics, "hedged_calls_total", kind="judge", name="j", outcome=outcome) for outcome in ("sent", "won")
    )
    assert sent >= won >= 1
    assert total(metrics, "judge_cost_total", judge="j") == pytest.approx((4 + sent) * 0.3)
    assert total(metrics, "judge_tokens_total", judge="j", kind="input") == (4 + sent) * 100_000
    assert total(metrics, "model_calls_total", model="j", outcome="cancelled") >= 1


@pytest.mark.usefixtures("hedged_at_once")
async def test_a_replica_that_answers_without_an_answer_leaves_it_to_the_other(
    fake: FakeJudge, other: FakeJudge
) -> None:
    async with judging([fake.url, other.url], hedge=True) as judges:
        await judges.ask("j", [says("first"), says("second")])
        fake.slow_s = 1.0
        other.reply = lambda body: JSONResponse({"choices": [{"message": {"content": ""}, "finish_reason": "length"}]})
        answers = [await judges.ask("j", [says(f"q{i}")]) for i in range(2)]
    assert ["YES"] in answers


@pytest.mark.usefixtures("hedged_at_once")
async def test_answers_that_are_drawn_are_never_hedged(fake: FakeJudge, other: FakeJudge) -> None:
    async with judging([fake.url, other.url], hedge=True) as judges:
        await judges.ask("j", [says("first"), says("second")])
        fake.slow_s = other.slow_s = 0.3
        for i in range(3):
            await judges.ask("j", [says(f"q{i}")], temperature=0.7)
    assert len(fake.bodies) + len(other.bodies) == 5


@pytest.mark.usefixtures("hedged_at_once")
async def test_no_more_questions_are_under_way_than_allowed_with_those_that_are_sent_twice(
    fake: FakeJudge, other: FakeJudge
) -> None:
    async with judging([fake.url, other.url], hedge=True, concurrency=1) as judges:
        await judges.ask("j", [says("first"), says("second")])
        fake.slow_s = other.slow_s = 0.3
        await judges.ask("j", [says("third"), says("fourth")])
    assert len(fake.bodies) + len(other.bodies) == 4


@pytest.mark.usefixtures("hedged_at_once")
async def test_without_hedge_nothing_is_sent_twice(fake: FakeJudge, other: FakeJudge) -> None:
    async with judging([fake.url, other.url]) as judges:
        await judges.ask("j", [says("first"), says("second")])
        fake.slow_s = other.slow_s = 0.3
        await judges.ask("j", [says("third"), says("fourth")])
    assert len(fake.bodies) + len(other.bodies) == 4


async def test_what_one_replica_answered_is_cached_for_all(fake: FakeJudge, other: FakeJudge) -> None:
    fake.reply = other.reply = priced
    answers, use = TextCache(MemoryCache(1000, 60.0)), CacheUse("use", "alice")
    async with judging([fake.url, AWAY], answers=answers) as judges:
        await judges.ask("j", [says("q")], cache=use)
    async with judging([other.url, AWAY], answers=answers) as judges:
        assert await judges.ask("j", [says("q")], cache=use) == ["YES"]
    assert other.bodies == []


class KeptNames:
    """A cache that keeps the names under which answers would be cached."""

    def __init__(self) -> None:
        self.names: list[str] = []

    async def get_many(self, owner: str, names: Sequence[str]) -> list[str | None]:
        return [None] * len(names)

    def put_later(self, owner: str, texts: Sequence[tuple[str, str]]) -> None:
        self.names += [name for name, _ in texts]


async def test_the_names_of_cached_answers_of_a_judge_with_one_address_stay(fake: FakeJudge) -> None:
    fake.reply = priced
    kept = KeptNames()
    clock = asyncio.get_running_loop().time
    config = JudgeConfig(name="j", base_url=fake.url, model="m")
    judges = Judges([config], lambda changed: Breaker(1, clock, changed=changed), answers=kept)
    await judges.ask("j", [says("q")], cache=CacheUse("use", "alice"))
    await judges.close()
    answer, version = kept.names
    assert version == f'["version", "j", "{fake.url}", "m"]'
    assert answer == (
        f'[["j", "{fake.url}", "m", "m-1"], [{{"temperature": 0.0}}, 2048, null], [{{"content": "q", "role": "user"}}]]'
    )
