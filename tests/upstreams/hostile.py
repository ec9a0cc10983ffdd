"""A server in front of a real one, which spoils the answers about texts that say so; any other answer is passed on."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.ports import free_port


def replace_score(answer: dict[str, Any], score: Any) -> bytes:
    """The same answer with another score, as Python writes it: NaN included."""
    entries = [{**entry, "probs": score} for entry in answer["data"]]
    return json.dumps({**answer, "data": entries}).encode()


SPOIL: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "short": lambda answer: json.dumps({**answer, "data": answer["data"][1:]}).encode(),
    "long": lambda answer: json.dumps({**answer, "data": answer["data"] * 2}).encode(),
    "wide": lambda answer: replace_score(answer, [1.0, 2.0]),
    "without-data": lambda answer: b'{"object": "list"}',
    "nan": lambda answer: replace_score(answer, [float("nan")]),
    "infinite": lambda answer: replace_score(answer, [float("-inf")]),
    "null": lambda answer: replace_score(answer, [None]),
    "in-words": lambda answer: replace_score(answer, ["8/10"]),
    "true": lambda answer: replace_score(answer, [True]),
    "page": lambda answer: b"<html><body>0.9</body></html>",
    "bare-number": lambda answer: b"0.9",
    "half": lambda answer: json.dumps(answer).encode()[:-20],
    "empty": lambda answer: b"",
}
"""What an answer becomes, by the word after ``spoil:`` in the text."""


@contextmanager
def spoiling(url: str) -> Iterator[str]:
    """Its address, until the end of the block."""

    async def handle(request: Request) -> Response:
        body = await request.body()
        async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
            answer = await client.request(
                request.method, request.url.path, content=body, headers={"content-type": "application/json"}
            )
        kind = next((kind for kind in SPOIL if f"spoil:{kind}." in body.decode()), None)
        content = answer.content if kind is None else SPOIL[kind](answer.json())
        return Response(content, answer.status_code, media_type="application/json")

    app = Starlette(routes=[Route("/{path:path}", handle, methods=["GET", "POST"])])
    port = free_port()
    config = uvicorn.Config(
        app, port=port, log_level="critical", lifespan="off", loop="asyncio", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
