"""Flow-Factory posts columns of prompts and pictures."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
NONE = {"video": None, "condition_images": None, "condition_videos": None}


@pytest.mark.parametrize("path", ["/compute", "/flow_factory/compute"])
async def test_rewards_stand_in_the_order_of_the_prompts(http: Any, path: str) -> None:
    body = {"prompt": ["a", "b"], "image": [PNG, PNG], **NONE, "condition_images": [None, [PNG, PNG]]}
    assert await http.ok(f"{path}?reward=looks", body) == {"rewards": [1.0, 3.0]}


async def test_no_prompts_have_no_rewards(http: Any) -> None:
    assert await http.ok("/compute?reward=looks", {"prompt": [], "image": [], **NONE}) == {"rewards": []}


async def test_columns_of_different_lengths_and_pictures_that_are_none_are_refused(http: Any) -> None:
    for image in ([PNG], [PNG, "AAAA"]):
        answer = await http.post("/compute?reward=looks", {"prompt": ["a", "b"], "image": image, **NONE})
        assert answer.status_code == 422
        assert "rewards" not in answer.json()
        assert answer.json()["error"]


async def test_the_client_starts_where_health_is_good(http: Any) -> None:
    assert (await http.client.get("/health")).status_code == 200
