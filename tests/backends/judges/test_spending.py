"""What judges cost, their budgets, and what of their answers is cached."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from reward_gateway.backends.judges.config import JudgeConfig
from reward_gateway.backends.judges.judges import Judges
from reward_gateway.backends.judges.questions import CacheUse
from reward_gateway.backends.judges.spending import Budget, LocalSpend, SpendStore
from reward_gateway.cache.breaker import Breaker
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cache.texts import TextCache
from reward_gateway.errors import StateUnavailable
from reward_gateway.sample import Invalid
from reward_gateway.telemetry.metrics import Metrics
from starlette.responses import JSONResponse, Response

pytestmark = pytest.mark.anyio

PRICE = {"input": 2.0, "output": 10.0}
USE = CacheUse("use", "alice")


def replying(text: str, version: str | None = "m-1") -> Response:
    usage = {"prompt_tokens": 100_000, "completion_tokens": 10_000}
    return JSONResponse({"model": version, "choices": [{"message": {"content": text}}], "usage": usage})


def says(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


@asynccontextmanager
async def judging(
    url: str,
    spend: SpendStore | None = None,
    metrics: Metrics | None = None,
    answers: TextCache | None = None,
    **settings: Any,
) -> AsyncIterator[Judges]:
    configs = [JudgeConfig(name=name, base_url=url, model="m", retries=0, **settings) for name in ("j", "k")]
    observer = metrics or Metrics()
    observer.models.register(["j", "k"])
    clock = asyncio.get_running_loop().time
    answers = answers or TextCache(MemoryCache(1000, 60.0))
    judges = Judges(configs, lambda changed: Breaker(100, clock, changed=changed), observer, answers, spend)
    try:
        yield judges
    finally:
        await judges.close()


async def test_cost_and_tokens_are_counted(fake: Any) -> None:
    fake.reply = lambda body: replying("YES")
    metrics = Metrics()
    async with judging(fake.url, metrics=metrics, price=PRICE) as judges:
        await judges.ask("j", [says("a"), says("b")])
    page = metrics.render().decode()
    assert 'reward_gateway_judge_cost_total{judge="j"} 0.6' in page
    assert 'reward_gateway_judge_tokens_total{judge="j",kind="input"} 200000.0' in page
    assert 'reward_gateway_judge_tokens_total{judge="j",kind="output"} 20000.0' in page


async def test_an_answer_that_is_no_answer_costs_what_it_took(fake: Any) -> None:
    usage = {"prompt_tokens": 100_000, "completion_tokens": 10_000}
    choice = {"message": {"content": "YES"}, "finish_reason": "length"}
    fake.reply = lambda body: JSONResponse({"choices": [choice], "usage": usage})
    metrics = Metrics()
    async with judging(fake.url, metrics=metrics, price=PRICE, daily_budget=0.3) as judges:
        (first,) = await judges.ask("j", [says("a")])
        (second,) = await judges.ask("j", [says("b")])
    assert isinstance(first, Invalid)
    assert isinstance(second, Invalid)
    assert (first.code, second.code) == ("judge_error", "over_budget")
    assert 'reward_gateway_judge_cost_total{judge="j"} 0.3' in metrics.render().decode()


async def test_a_cached_answer_is_counted_and_costs_nothing(fake: Any) -> None:
    fake.reply = lambda body: replying("YES")
    metrics = Metrics()
    async with judging(fake.url, metrics=metrics, price=PRICE) as judges:
        for _ in range(3):
            await judges.ask("j", [says("q")], cache=USE)
    page = metrics.render().decode()
    assert 'reward_gateway_judge_cost_total{judge="j"} 0.3' in page
    assert 'reward_gateway_judge_answers_total{judge="j",source="server"} 1.0' in page
    assert 'reward_gateway_judge_answers_total{judge="j",source="cache"} 2.0' in page


async def test_answers_at_a_temperature_that_the_server_chooses_are_not_cached(fake: Any) -> None:
    fake.reply = lambda body: replying("YES")
    async with judging(fake.url, temperature=None) as judges:
        for _ in range(2):
            assert await judges.ask("j", [says("q")], 0.0, cache=USE) == ["YES"]
        await judges.ask("j", [says("q")], 0.0, draws=[0], cache=USE)
        await judges.ask("j", [says("q")], 0.0, draws=[0], cache=USE)
    assert len(fake.bodies) == 3
    assert not any("temperature" in body for body in fake.bodies)


async def test_a_judge_over_its_budget_is_not_asked_and_says_so(fake: Any) -> None:
    fake.reply = lambda body: replying("YES")
    spend = LocalSpend()
    async with judging(fake.url, spend, price=PRICE, daily_budget=0.5, concurrency=1) as judges:
        answers = await judges.ask("j", [says(str(i)) for i in range(4)])
        assert answers[:2] == ["YES", "YES"]
        assert {answer.code for answer in answers[2:] if isinstance(answer, Invalid)} == {"over_budget"}
        assert await judges.ask("k", [says("q")]) == ["YES"]
    async with judging(fake.url, spend, price=PRICE, daily_budget=0.5) as another_process:
        (answer,) = await another_process.ask("j", [says("q")])
        assert isinstance(answer, Invalid)
        assert (answer.code, answer.server_caused) == ("over_budget", True)


async def test_a_budget_is_of_one_day() -> None:
    days = [datetime(2026, 1, 1, 23, 59, tzinfo=UTC)]
    budget = Budget("j", 1.0, LocalSpend(), lambda: days[-1])
    await budget.add(1.0)
    assert await budget.check() is not None
    days.append(datetime(2026, 1, 2, tzinfo=UTC))
    assert await budget.check() is None


class Away:
    async def add(self, name: str, amount: float) -> float:
        raise StateUnavailable("the store is away")

    async def close(self) -> None: ...


async def test_a_budget_that_nobody_can_tell_is_not_spent(fake: Any) -> None:
    async with judging(fake.url, Away(), price=PRICE, daily_budget=1.0) as judges:
        assert await judges.ask("j", [says("q")]) == [Invalid("state_unavailable", "the store is away")]
    assert fake.bodies == []


def test_a_budget_needs_a_price() -> None:
    with pytest.raises(ValueError, match="needs a price"):
        JudgeConfig(name="j", base_url="http://h", model="m", daily_budget=1.0)


async def test_an_answer_is_cached_once_the_server_has_told_its_version(fake: Any) -> None:
    fake.reply = lambda body: replying("YES")
    async with judging(fake.url) as judges:
        for _ in range(3):
            assert await judges.ask("j", [says("q")], cache=USE) == ["YES"]
        assert len(fake.bodies) == 1
        await judges.ask("j", [says("other")], cache=USE)
        await judges.ask("k", [says("q")], cache=USE)
        await judges.ask("j", [says("q")], schema={"type": "object"}, cache=USE)
        await judges.ask("j", [says("q")], cache=CacheUse("use", "bob"))
        assert len(fake.bodies) == 5
        for mode in ("refresh", "off"):
            await judges.ask("j", [says("q")], cache=CacheUse(mode, "alice"))
        assert len(fake.bodies) == 7


async def test_after_a_restart_the_first_questions_find_what_was_cached(fake: Any) -> None:
    fake.reply = lambda body: replying("YES")
    answers = TextCache(MemoryCache(1000, 60.0))
    async with judging(fake.url, answers=answers) as judges:
        await judges.ask("j", [says("q")], cache=USE)
    fake.forget()
    fake.reply = lambda body: Response(status_code=400)
    async with judging(fake.url, answers=answers) as judges:
        assert await judges.ask("j", [says("q")], cache=USE) == ["YES"]
        assert fake.bodies == [], "neither for the answer nor for the version: the judge may be away"
        await judges.ask("j", [says("q")], cache=CacheUse("use", "bob"))
        assert len(fake.bodies) == 1, "what another tenant asked is not known"
        fake.reply = lambda body: replying("NO", "m-2")
        await judges.ask("j", [says("other")], cache=USE)
        assert await judges.ask("j", [says("q")], cache=USE) == ["NO"], "what the server tells counts from then on"
    async with judging(fake.url, answers=answers) as judges:
        assert await judges.ask("j", [says("q")], cache=USE) == ["NO"]


async def test_another_version_answers_anew(fake: Any) -> None:
    fake.reply = lambda body: replying("YES")
    async with judging(fake.url) as judges:
        await judges.ask("j", [says("q")], cache=USE)
        fake.reply = lambda body: replying("NO", "m-2")
        await judges.ask("j", [says("other")], cache=USE)
        assert await judges.ask("j", [says("q")], cache=USE) == ["NO"]


async def test_a_server_that_tells_no_version_is_not_cached(fake: Any) -> None:
    async with judging(fake.url) as judges:
        for _ in range(2):
            await judges.ask("j", [says("q")], cache=USE)
    assert len(fake.bodies) == 2


async def test_draws_are_cached_where_it_is_known_how_many_are_drawn(fake: Any) -> None:
    numbers = iter(range(100))
    fake.reply = lambda body: replying(str(next(numbers)))
    async with judging(fake.url) as judges:
        for _ in range(2):
            await judges.ask("j", [says("q")] * 2, 0.7, cache=USE)
        assert len(fake.bodies) == 4
        first = await judges.ask("j", [says("q")] * 3, 0.7, None, None, [0, 1, 2], USE)
        assert len(set(first)) == 3
        assert await judges.ask("j", [says("q")] * 3, 0.7, None, None, [0, 1, 2], USE) == first
        assert len(fake.bodies) == 7


async def test_no_more_tokens_are_taken_in_a_minute_than_allowed(fake: Any, clock: Any) -> None:
    fake.reply = lambda body: replying("YES")
    async with judging(fake.url, tokens_per_minute=200_000, concurrency=1) as judges:
        await judges.ask("j", [says("a"), says("b")])
        waiting = asyncio.create_task(judges.ask("j", [says("c")]))
        await asyncio.sleep(0.05)
        assert len(fake.bodies) == 2
        await clock.advance(61)
        assert await waiting == ["YES"]
