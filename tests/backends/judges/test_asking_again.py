"""Answers that cannot be read: at a temperature above 0 another may be, at 0 it would be the same."""

import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
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

from .test_through_http import NoModels

pytestmark = pytest.mark.anyio

RETRIES = 2
DRAWN = {"temperature": 0.7}


class Asking:
    """``judge_rubric``, asked as a request does."""

    def __init__(self, url: str) -> None:
        config = JudgeConfig(name="judge", base_url=url, model="m", retries=RETRIES)
        answers = TextCache(MemoryCache(1000, 60.0))
        judges = Judges([config], lambda changed: Breaker(100, time.monotonic, changed=changed), answers=answers)
        self.runtime = EffectsRuntime(
            CachedScorer(NoModels(), NullCache()),  # type: ignore[arg-type]
            StateStore.in_process(),
            judges=judges,
        )

    async def grade(self, *responses: str, **params: Any) -> list[Any]:
        """The rewards of some responses; the code of the error for one that has none."""
        operation = catalog().get("score", "judge_rubric")
        assert operation is not None
        steps = apply(operation, [{"response": response} for response in responses], params)
        results = await run_effects(steps, self.runtime, RequestContext())
        return [result["error"]["code"] if result["error"] else result["reward"] for result in results]


@pytest.fixture
async def asking(fake: Any) -> AsyncIterator[Asking]:
    made = Asking(fake.url)
    yield made
    await made.runtime.close()


def by_response(**replies: list[Any]) -> Callable[[dict[str, Any]], Response | str]:
    """Replies in turn, the last one again and again, by the response that is judged; a number is a grade."""

    def reply(body: dict[str, Any]) -> Response:
        text = body["messages"][0]["content"]
        own = next(own for response, own in replies.items() if f"\n{response}\n</response-" in text)
        said = own.pop(0) if len(own) > 1 else own[0]
        said = said if isinstance(said, dict) else {"content": json.dumps({"quality": said})}
        choice = {"finish_reason": said.pop("finish_reason", "stop"), "message": said}
        return JSONResponse({"model": "m-1", "choices": [choice]})

    return reply


@pytest.mark.parametrize(
    "unread",
    [
        {"content": "A fine answer."},
        {"content": '{"quality": 11}'},
        {"content": '{"quality": 1', "finish_reason": "length"},
        {"content": "", "finish_reason": "content_filter"},
        {"content": "1", "refusal": "I would rather not."},
        {"content": None, "tool_calls": [{"id": "c"}]},
    ],
)
async def test_what_cannot_be_read_is_asked_for_again_where_another_answer_may_be_drawn(
    asking: Asking, fake: Any, unread: Any
) -> None:
    fake.reply = by_response(good=[10], odd=[{**unread}, 1])
    assert await asking.grade("good", "odd", **DRAWN) == [1.0, 0.0]
    assert len(fake.bodies) == 3, "what was read is not asked for again"
    fake.forget()
    fake.reply = by_response(odd=[{**unread}, 1])
    assert await asking.grade("odd", temperature=0) == ["judge_error"]
    assert len(fake.bodies) == 1, "at temperature 0 it would be the same"


async def test_it_is_asked_as_often_as_the_judge_is_tried(asking: Asking, fake: Any) -> None:
    fake.reply = by_response(odd=[{"content": "A fine answer."}])
    assert await asking.grade("odd", **DRAWN) == ["judge_error"]
    assert len(fake.bodies) == 1 + RETRIES


async def test_a_cached_answer_that_cannot_be_read_is_replaced(asking: Asking, fake: Any) -> None:
    fake.reply = by_response(other=[1], odd=[*[{"content": "A fine answer."}] * (1 + RETRIES), 10])
    assert await asking.grade("other", samples=1, **DRAWN) == [0.0]
    assert await asking.grade("odd", samples=1, **DRAWN) == ["judge_error"]
    fake.forget()
    assert await asking.grade("odd", samples=1, **DRAWN) == [1.0]
    assert len(fake.bodies) == 1, "the cached answer is read first, and not once more"
    assert await asking.grade("odd", samples=1, **DRAWN) == [1.0]
    assert len(fake.bodies) == 1
