"""A request is freed when it is answered: nothing of it waits for a collection of garbage, which stops all others."""

import json
from typing import Any

import pytest
from reward_gateway.http.call import Call
from reward_gateway.http.connection import Connection

from tests.clock import until
from tests.garbage import count

from .listening import SCORE, connect, listening, post

pytestmark = pytest.mark.anyio

POSTS = 20


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/score", SCORE, 200),
        ("/v1/score", b"{", 400),
        ("/v1/score", json.dumps({"reward": "nobody", "samples": []}).encode(), 404),
        ("/get_reward", json.dumps({"query": ["p r"], "prompts": ["p"], "labels": [None]}).encode(), 200),
        ("/rm", json.dumps({"prompt": "p", "response": "r"}).encode(), 200),
        ("/nothing", SCORE, 404),
    ],
)
async def test_no_request_waits_to_be_collected(served: Any, path: str, body: bytes, status: int) -> None:
    async with listening(served) as to:
        client = await connect(to)
        before = count(Call)
        for _ in range(POSTS):
            await client.send(post(body, path=path))
            answered, headers, _ = await client.answer()
            assert answered == status
            if headers.get("connection") == "close":
                client.close()
                client = await connect(to)
        client.close()
        assert count(Call) - before <= 2  # the latest one is held by its connection


@pytest.mark.usefixtures("uncollected")
async def test_no_closed_connection_waits_to_be_collected(served: Any) -> None:
    """Some trainers open one for each request."""
    async with listening(served) as to:
        before = count(Connection)
        for _ in range(POSTS):
            client = await connect(to)
            await client.send(post(SCORE))
            assert (await client.answer())[0] == 200
            client.close()
        await until(lambda: count(Connection) == before)
