"""Flow-GRPO and verl-omni speak pickle; it is off, and behind a door when it is on."""

import base64
import pickle
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.anyio

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
async def on(speak: Any) -> AsyncIterator[Any]:
    async with speak(pickle=True) as http:
        yield http


async def send(http: Any, body: Any, path: str = "/") -> Any:
    content = body if isinstance(body, bytes) else pickle.dumps(body)
    return await http.client.post(f"{path}?reward=looks", content=content)


async def test_there_is_nothing_while_it_is_off(http: Any) -> None:
    for path in ("/", "/flow_grpo/"):
        answer = await send(http, {"images": [PNG]}, path)
        assert answer.status_code == 404
        assert "REWARD_GATEWAY_PICKLE" in answer.text


@pytest.mark.parametrize(
    ("extra", "keys"),
    [
        ({}, {"outputs"}),
        ({"prompts": np.array(["a", "b"])}, {"outputs"}),
        ({"prompts": ["a", "b"], "metadata": {}}, {"scores"}),
        (
            {"meta_datas": [{"prompt": "a", "tag": "one"}, {"prompt": "b", "tag": "two"}], "only_strict": True},
            {"scores", "rewards", "strict_rewards", "group_rewards", "group_strict_rewards"},
        ),
    ],
)
async def test_each_client_gets_its_own_keys(on: Any, extra: dict[str, Any], keys: set[str]) -> None:
    for path in ("/", "/flow_grpo/"):
        answer = await send(on, {"images": [PNG, PNG], **extra}, path)
        assert answer.status_code == 200
        found = pickle.loads(answer.content)
        assert set(found) == keys
        assert next(iter(found.values())) == [1.0, 1.0]
        assert found.get("group_rewards", {"one": [1.0], "two": [1.0]}) == {"one": [1.0], "two": [1.0]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"junk",
        pickle.dumps(print),
        {"images": "x"},
        {"images": [1]},
        {"images": [b"no image"]},
        [],
        {"images": [PNG], "prompts": ["a", "b"]},
        {"images": [PNG], "prompts": [1]},
        {},
    ],
)
async def test_a_bad_request_is_a_400(on: Any, body: Any) -> None:
    assert (await send(on, body)).status_code == 400


async def test_a_fault_is_never_a_500(on: Any) -> None:
    on.models.away = True
    assert (await send(on, {"images": [PNG]})).status_code == 503


async def test_a_stranger_is_turned_away(on: Any) -> None:
    on.client._transport.client = ("192.0.2.1", 9)
    assert (await send(on, {"images": [PNG]})).status_code == 403
