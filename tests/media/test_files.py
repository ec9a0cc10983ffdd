"""Hostile images through the whole path: each a clear error of its own sample, in bounded time, beside good scores."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.clock import little_work

pytestmark = pytest.mark.anyio

MOST_WORK_S = 3.0
"""Processor time for one file; most take milliseconds."""

Hostile = tuple[bytes, str | None]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def test_a_hostile_file_is_an_error_of_its_sample_alone(
    serve: Any, hostile: Hostile, picture: Callable[..., bytes]
) -> None:
    data, code = hostile
    good = b64(picture(size=(30, 10)))
    async with serve() as served:
        with little_work(MOST_WORK_S):
            before, bad, after = await served.results([{"images": [image]} for image in (good, b64(data), good)])
    assert before["reward"] == after["reward"] == 30
    if code is None:
        assert bad["valid"], bad["error"]
        return
    assert (bad["valid"], bad["reward"]) == (False, None)
    assert bad["error"]["code"] == code
    assert bad["error"]["message"].strip()
    assert len(bad["error"]["message"]) < 200


async def test_a_hostile_file_in_an_item_of_an_operation_is_that_items_error(
    serve: Any, files: dict[str, Hostile], picture: Callable[..., bytes]
) -> None:
    def item(data: bytes) -> dict[str, Any]:
        return {"prompt": "p", "response": "r", "images_b64": [b64(data)]}

    items = [item(picture(size=(30, 10))), *(item(data) for data, _ in files.values() if data)]
    async with serve() as served:
        body = {"items": items, "params": {"model": "pictures"}}
        answer = await served.client.post("/v1/score/ixc_reward", json=body)
    good, *hostile = answer.json()["results"]
    assert good["reward"] == 30
    told = [result["error"] and result["error"]["code"] for result in hostile]
    assert told == [code for data, code in files.values() if data]


async def test_the_limits_hold_to_the_byte_the_pixel_and_the_image(serve: Any, picture: Callable[..., bytes]) -> None:
    data = picture(size=(20, 10))
    limits = {"max_image_bytes": len(data), "max_image_pixels": 200, "max_images": 2, "max_frames": 3}
    async with serve(**limits) as served:
        samples: list[dict[str, Any]] = [
            {"images": [b64(data)] * 2, "frames": [b64(data)] * 3},
            {"frames": [b64(data), b64(data + b"\0")]},
            {"images": [b64(picture(size=(201, 1)))]},
        ]
        results = await served.results(samples)
        assert results[0]["reward"] == 5 * 20
        assert [result["error"]["code"] for result in results[1:]] == ["too_large"] * 2
        assert [result["error"]["message"].partition(": ")[0] for result in results[1:]] == ["frames[1]", "images[0]"]
        for field, many in (("images", 3), ("frames", 4)):
            answer = await served.client.post("/v1/score", json={"samples": [{field: [b64(data)] * many}]})
            assert (answer.status_code, answer.json()["error"]["param"]) == (413, f"samples[0].{field}")


def test_the_corpus_is_large(files: dict[str, Hostile]) -> None:
    assert len(files) >= 60
    assert all(sum(len(data) for data, code in files.values() if code == wanted) for wanted in ("too_large", None))
