"""Cosmos-RL enqueues JSON with an array behind it, and pulls the scores until they are there."""

import asyncio
import io
import json
from typing import Any

import numpy as np
import pytest
from reward_gateway.jobs import runner

pytestmark = pytest.mark.anyio

IMAGES = np.zeros((2, 4, 5, 3), np.uint8)


def body(array: Any = IMAGES, prompts: Any = ("a", "b"), **fields: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    head = {"prompts": list(prompts), "reward_fn": {"looks": 1.0}, "media_type": "image", **fields}
    return json.dumps(head).encode() + b"\n" + file.getvalue()


async def enqueue(http: Any, content: bytes, prefix: str = "") -> Any:
    headers = {"Content-Type": "application/octet-stream", "Authorization": "Bearer "}
    return await http.client.post(f"{prefix}/api/reward/enqueue", content=content, headers=headers)


async def pull(http: Any, token: str, name: str = "looks", prefix: str = "") -> Any:
    while True:
        answer = await http.client.post(f"{prefix}/api/reward/pull", data={"uuid": token, "type": name})
        if answer.status_code != 400:
            return answer
        assert answer.json()["message"].startswith("Not found scores for")
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("prefix", ["", "/cosmos_rl"])
async def test_scores_are_pulled_as_a_column(http: Any, prefix: str) -> None:
    answer = await enqueue(http, body(), prefix)
    assert answer.status_code == 200
    found = (await pull(http, answer.json()["uuid"], prefix=prefix)).json()
    assert set(found) == {"scores", "input_info", "duration", "decoded_duration", "type"}
    assert (found["scores"], found["type"]) == ({"looks": [[1.0], [1.0]]}, "looks")
    assert float(found["duration"]) >= 0


async def test_an_unknown_uuid_is_not_there_yet(http: Any) -> None:
    answer = await http.client.post("/api/reward/pull", data={"uuid": "x", "type": "looks"})
    assert (answer.status_code, answer.json()) == (400, {"message": "Not found scores for x"})


async def test_a_batch_that_failed_is_an_error_and_no_score(http: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "RETRY_S", (0.01,))
    http.models.away = True
    answer = await pull(http, (await enqueue(http, body())).json()["uuid"])
    assert answer.status_code == 503
    assert set(answer.json()) == {"message"}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{}", 400),
        (b"junk\n", 400),
        (body()[:-5], 422),
        (body(IMAGES.astype(np.float32)), 422),
        (body(IMAGES[0]), 422),
        (body(prompts=["a"]), 422),
        (body(media_type="latent"), 422),
        (body(reward_fn={"nobody": 1.0}), 404),
        (json.dumps({"prompts": ["a"], "reward_fn": {}}).encode() + b"\nno array", 422),
    ],
)
async def test_what_cannot_be_a_batch_is_refused_at_once(http: Any, content: bytes, status: int) -> None:
    answer = await enqueue(http, content)
    assert answer.status_code == status
    assert set(answer.json()) == {"message"}


async def test_an_array_reserves_no_more_than_it_holds(http: Any) -> None:
    huge = body(np.zeros((1, 1, 1, 3), np.uint8), ["a"])
    assert (await enqueue(http, huge.replace(b"(1, 1, 1, 3)", b"(9, 9, 9, 9999999999)"))).status_code == 422


async def test_a_ping_is_answered(http: Any) -> None:
    answer = await http.client.post("/api/reward/ping", data={"info_data": "{}"})
    assert answer.json() == {"message": "Ping request received"}
