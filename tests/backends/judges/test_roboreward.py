"""RoboReward as it is deployed: a chat endpoint that sees an episode's frames in order and answers in its own words."""

import base64
import io
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from PIL import Image
from reward_gateway.backends.judges.config import JudgeConfig
from reward_gateway.backends.judges.judges import Judges
from reward_gateway.cache.breaker import Breaker
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.recipes.book import load_book
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore

from tests.contract import HttpContract

pytestmark = pytest.mark.anyio

PUBLISHED = (
    "Given the task, assign a discrete progress score reward (1,2,3,4,5) for the robot in the video in the format: "
    "ANSWER: <score>\n"
    "Rubric for end-of-episode progress (judge only the final state without time limits):\n"
    "1 - No Success: Final state shows no goal-relevant change for the command.\n"
    "2 - Minimal Progress: Final state shows a small but insufficient change toward the goal.\n"
    "3 - Partial Completion: The final state shows good progress toward the goal but violates more than one "
    "requirement or a major requirement.\n"
    "4 - Near Completion: Final state is correct in region and intent but misses a single minor requirement.\n"
    "5 - Perfect Completion: Final state satisfies all requirements.\n\n"
    "Task: open the drawer"
)


def frame(shade: int) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (shade, 0, 0)).save(buffer, "JPEG")
    return base64.b64encode(buffer.getvalue()).decode()


FRAMES = [frame(shade) for shade in (0, 100, 200)]
SAMPLE = {"prompt": "open the drawer", "frames": FRAMES}


class Elsewhere:
    """A model server that is not asked."""

    async def close(self) -> None: ...


@pytest.fixture
async def http(fake: Any) -> AsyncIterator[httpx.AsyncClient]:
    judge = JudgeConfig(name="roboreward", base_url=fake.url, model="RoboReward-8B", retries=0)
    judges = Judges([judge], lambda changed: Breaker(100, time.monotonic, changed=changed))
    runtime = EffectsRuntime(CachedScorer(Elsewhere(), NullCache()), StateStore.in_process(), judges=judges)  # type: ignore[arg-type]
    book = load_book(Settings().rewards_file.read_text(encoding="utf-8"))
    app = create_app(Gateway(book, runtime), Settings())
    async with HttpContract(app).client(timeout=30) as client:
        yield client
    await runtime.close()


async def scored(http: httpx.AsyncClient, *samples: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await http.post("/v1/score", json={"reward": "roboreward", "samples": list(samples)})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


async def test_it_is_asked_with_the_published_prompt_and_the_frames_in_order(http: Any, fake: Any) -> None:
    fake.reply = lambda body: "The drawer is nearly open.\nANSWER: 4"
    (result,) = await scored(http, SAMPLE)
    assert result["reward"] == 0.75
    (body,) = fake.bodies
    assert body["model"] == "RoboReward-8B"
    assert body["temperature"] == 0
    *images, text = body["messages"][-1]["content"]
    assert text == {"type": "text", "text": PUBLISHED}
    assert [image["type"] for image in images] == ["image_url"] * 3
    assert [image["image_url"]["url"] for image in images] == [f"data:image/jpeg;base64,{frame}" for frame in FRAMES]


async def test_an_operation_and_a_recipe_ask_the_same(http: Any, fake: Any) -> None:
    fake.reply = lambda body: "ANSWER: 2"
    await scored(http, SAMPLE)
    answer = await http.post(
        "/v1/score/roboreward", json={"items": [{"task": "open the drawer", "frames_b64": FRAMES}], "params": {}}
    )
    assert answer.json()["results"][0]["reward"] == 0.25
    first, second = (body["messages"] for body in fake.bodies)
    assert first == second


async def test_a_single_frame_is_shown_twice(http: Any, fake: Any) -> None:
    fake.reply = lambda body: "ANSWER: 1"
    (result,) = await scored(http, {**SAMPLE, "frames": FRAMES[:1]})
    assert result["reward"] == 0
    assert len(fake.bodies[0]["messages"][-1]["content"]) == 3


async def test_an_answer_off_the_scale_is_no_score_and_an_episode_without_frames_is_said_to_be_one(
    http: Any, fake: Any
) -> None:
    fake.reply = lambda body: "ANSWER: 10"
    off, bare = await scored(http, SAMPLE, {"prompt": "open the drawer"})
    assert off["reward"] is None
    assert off["error"]["code"] == "judge_error"
    assert bare["reward"] is None
    assert bare["error"]["code"] in ("invalid_field", "missing_field")
    assert len(fake.bodies) == 1
