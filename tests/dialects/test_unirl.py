"""UniRL asks for several rewards of a sample; what failed is absent from the results and named in the errors."""

import base64
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def asked(*rewards: str, images: int = 1, **turn: Any) -> dict[str, Any]:
    turns = [{"text": "a kite", "image_b64": PNG} for _ in range(images)]
    return {"history": [*turns, *([turn] if turn else [])], "required_rewards": list(rewards), "metadata": None}


@pytest.mark.parametrize("path", ["/score", "/unirl/score"])
async def test_each_reward_of_each_sample_has_its_number(http: Any, path: str) -> None:
    found = await http.ok(path, {"requests": [asked("looks"), asked("looks", images=2)]})
    assert found == {"results": [{"looks": {"looks": 1.0}}, {"looks": {"looks": 2.0}}], "errors": [{}, {}]}


async def test_what_cannot_be_scored_is_absent_and_has_its_reason(http: Any) -> None:
    broken = asked("looks", image_b64=base64.b64encode(b"no image").decode(), images=0)
    found = await http.ok("/score", {"requests": [asked("looks", "share"), broken, asked("looks", video_path="/etc")]})
    assert found["results"] == [{"looks": {"looks": 1.0}}, {}, {}]
    assert [set(row) for row in found["errors"]] == [{"share"}, {"looks"}, {"looks"}]


async def test_an_unknown_reward_is_a_400_with_detail(http: Any) -> None:
    for body in ({"requests": [asked("nobody")]}, {"requests": [{"history": 1}]}):
        answer = await http.post("/score", body)
        assert answer.status_code == 400
        assert set(answer.json()) == {"detail"}


@pytest.mark.parametrize("base_url", ["", "/unirl", "/run/A/unirl"])
async def test_the_client_finds_its_rewards_before_it_begins(http: Any, base_url: str) -> None:
    names = {plan.name for plan in http.gateway.book}
    assert set((await http.client.get(f"{base_url}/rewards")).json()["rewards"]) == names
    health = (await http.client.get(f"{base_url}/health")).json()
    assert (health["status"], set(health["rewards"])) == ("ok", names)


async def test_models_that_are_away_fail_the_request_so_that_it_is_tried_again(http: Any) -> None:
    http.models.away = True
    answer = await http.post("/score", {"requests": [asked("looks")]})
    assert (answer.status_code, set(answer.json())) == (503, {"detail"})
