"""A judge's requests have a shorter time once it is known how long answers to the same prompt and reference take."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from reward_gateway.backends import time_limits
from reward_gateway.backends.judges.config import JudgeConfig
from reward_gateway.backends.judges.judges import Judges
from reward_gateway.cache.breaker import Breaker
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cache.null import NullCache
from reward_gateway.cache.texts import TextCache
from reward_gateway.operations.apply import apply
from reward_gateway.operations.registry import catalog
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime, run_effects
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.state.store import StateStore
from starlette.responses import JSONResponse, Response

from .conftest import FakeJudge
from .test_through_http import NoModels

pytestmark = pytest.mark.anyio

GIVEN = {
    "judge_rubric": {"quality": 5},
    "judge_reference": "YES",
    "judge_principle": "YES",
    "judge_pairwise": "VERDICT: A",
}
"""What the judge says to each operation."""


def say(operation: str) -> Any:
    said = GIVEN[operation]
    content = said if isinstance(said, str) else json.dumps(said)
    return lambda body: JSONResponse({"model": "m-1", "choices": [{"message": {"content": content}}]})


class Asking:
    """Operations that ask two judges of one server, the first of which has limits that adapt."""

    def __init__(self, fake: FakeJudge) -> None:
        self.fake = fake
        clock = asyncio.get_running_loop().time
        settings: dict[str, Any] = {"base_url": fake.url, "model": "m", "retries": 0, "timeout_s": 60}
        configs = [
            JudgeConfig(name="judge", adaptive_timeout=3.0, **settings),
            JudgeConfig(name="patient", **settings),
        ]
        self.judges = Judges(
            configs, lambda changed: Breaker(2, clock, changed=changed), answers=TextCache(MemoryCache(1000, 60.0))
        )
        self.runtime = EffectsRuntime(
            CachedScorer(NoModels(), NullCache()),  # type: ignore[arg-type]
            StateStore.in_process(),
            judges=self.judges,
        )

    async def ask(
        self, *responses: str, operation: str = "judge_rubric", judge: str = "judge", **more: Any
    ) -> list[dict[str, Any]]:
        found = catalog().get("score", operation)
        assert found is not None
        item = {
            "prompt": "Why?",
            "reference": "So.",
            **({"other": "?"} if operation == "judge_pairwise" else {}),
            **more,
        }
        params: dict[str, Any] = {"judge": judge}
        if operation == "judge_principle":
            params["principles"] = {"polite": "It is polite."}
        steps = apply(found, [{**item, "response": response} for response in responses], params)
        return await run_effects(steps, self.runtime, RequestContext())


@pytest.fixture
async def asking(fake: FakeJudge, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Asking]:
    monkeypatch.setattr(time_limits, "FEWEST", 2)
    fake.reply = say("judge_rubric")
    made = Asking(fake)
    yield made
    await made.runtime.close()


@pytest.mark.parametrize("operation", GIVEN)
async def test_a_question_that_takes_far_longer_than_others_of_its_problem_is_stopped(
    asking: Asking, operation: str
) -> None:
    asking.fake.reply = say(operation)
    for result in await asking.ask("a", "b", operation=operation):
        assert (result["error"], "limit_s" in result["details"]) == (None, False)
    asking.fake.slow_s = 3600.0
    async with asyncio.timeout(50):
        (result,) = await asking.ask("c", operation=operation)
    assert (result["reward"], result["error"]["code"]) == (None, "timeout")


async def test_the_limit_is_told(asking: Asking) -> None:
    await asking.ask("a", "b")
    (result,) = await asking.ask("c")
    assert time_limits.SHORTEST_S <= result["details"]["limit_s"] < 60


async def test_another_prompt_and_another_judge_have_limits_of_their_own(asking: Asking) -> None:
    await asking.ask("a", "b")
    (other,) = await asking.ask("c", prompt="How?")
    (reference,) = await asking.ask("c", reference="Never.")
    (patient,) = await asking.ask("c", judge="patient")
    assert not any("limit_s" in result["details"] for result in (other, reference, patient))


async def test_what_was_stopped_is_not_cached_and_says_nothing_of_the_server(asking: Asking) -> None:
    await asking.ask("a", "b")
    asking.fake.slow_s = 3600.0
    for _ in range(3):
        (result,) = await asking.ask("c")
        assert result["error"]["code"] == "timeout"
    asking.fake.slow_s = 0.0
    (result,) = await asking.ask("c")
    assert result["error"] is None


async def test_failures_count_for_no_limit(asking: Asking) -> None:
    asking.fake.reply = lambda body: Response(status_code=403)
    await asking.ask("a", "b", "c")
    asking.fake.reply = say("judge_rubric")
    (result,) = await asking.ask("d")
    assert "limit_s" not in result["details"]
