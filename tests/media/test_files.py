"""Hostile images through the whole path: each a clear error of its own sample, in bounded time, beside good scores."""

import base64
import time
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

LONGEST_S = 3.0
"""For one file, on a noisy machine; most take milliseconds."""

Hostile = tuple[bytes, str | None]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def test_a_hostile_file_is_an_error_of_its_sample_alone(
    serve: Any, hostile: Hostile, picture: Callable[..., bytes]
) -> None:
    data, code = hostile
    good = b64(picture(size=(30, 10)))
    async with serve() as served:
        started = time.perf_counter()
        before, bad, after = await served.results([{"images": [image]} for image in (good, b64(data), good)])
        assert time.perf_counter() - started < LONGEST_S
    assert before["reward"] == after["reward"] == 30
    if code is None:
        assert bad["valid"], bad["error"]
        return
    assert (bad["valid"], bad["reward"]) == (False, None)
    assert bad["error"]["code"] == code
    assert bad["error"]["message"].strip()
    assert len(bad["error"]["message"]) < 200


def test_the_corpus_is_large(files: dict[str, Hostile]) -> None:
    assert len(files) >= 60
    assert all(sum(len(data) for data, code in files.values() if code == wanted) for wanted in ("too_large", None))
