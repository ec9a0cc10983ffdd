"""oat's remote oracles post MessagePack without a content type: responses to score, or pairs to compare."""

import math
from typing import Any

import httpx
import msgspec
import pytest

pytestmark = pytest.mark.anyio


async def post(http: Any, content: Any, path: str = "/get_feedback") -> httpx.Response:
    """Post as oat does: MessagePack, and no content type."""
    packed = content if isinstance(content, bytes) else msgspec.msgpack.encode(content)
    answer: httpx.Response = await http.client.post(path, content=packed)
    assert "content-type" not in answer.request.headers
    return answer


async def ok(http: Any, content: Any, path: str = "/get_feedback") -> Any:
    answer = await post(http, content, path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/msgpack"
    return msgspec.msgpack.decode(answer.content)


def scored(prompts: list[str], responses: list[str]) -> dict[str, Any]:
    return {"batch_prompt": prompts, "batch_response": responses, "batch_candidates": []}


def compared(prompts: list[str], *pairs: tuple[str, str]) -> dict[str, Any]:
    return {"batch_prompt": prompts, "batch_response": [], "batch_candidates": pairs}


@pytest.mark.parametrize("path", ["/get_feedback", "/oat/get_feedback"])
async def test_responses_are_scored_in_order(http: Any, path: str) -> None:
    found = await ok(http, scored(["Why?", "p"], ["Because.", "x" * 9]), path)
    wanted = [await http.native("Why?", "Because."), await http.native("p", "x" * 9)]
    assert found == {"batch_score": pytest.approx(wanted), "batch_first_win_prob": []}


async def test_of_candidates_the_first_wins_with_the_sigmoid_of_the_difference(http: Any) -> None:
    found = await ok(http, compared(["Why?", "p"], ("So.", "So!"), ("xx", "x")))
    assert found["batch_score"] == []
    differences = [0.0, await http.native("p", "xx") - await http.native("p", "x")]
    wanted = [1 / (1 + math.exp(-difference)) for difference in differences]
    assert found["batch_first_win_prob"] == pytest.approx(wanted)


async def test_an_empty_batch_has_an_empty_answer(http: Any) -> None:
    assert await ok(http, scored([], [])) == {"batch_score": [], "batch_first_win_prob": []}
    assert (await post(http, scored([], []), "/get_feedback?reward=nobody")).status_code == 404


async def test_one_without_a_score_fails_the_batch(http: Any) -> None:
    assert (await post(http, scored(["p", "p"], ["good", "bad"]))).status_code == 422
    assert (await post(http, compared(["p"], ("good", "bad")))).status_code == 422
    http.models.away = True
    assert (await post(http, scored(["p"], ["good"]))).status_code == 503


@pytest.mark.parametrize(
    "body",
    [
        {**scored(["p"], ["r"]), "batch_candidates": [("a", "b")]},
        scored(["p"], ["r", "s"]),
        scored(["p", "q"], ["r"]),
        compared(["p"], ("a", "b"), ("c", "d")),
        {"batch_prompt": ["p"], "batch_response": [], "batch_candidates": [("a",)]},
        {"batch_prompt": ["p"], "batch_response": [], "batch_candidates": [("a", "b", "c")]},
        {"batch_prompt": ["p"], "batch_response": [1]},
        {"batch_prompt": ["p"], "batch_response": [msgspec.msgpack.Ext(5, b"r")]},
        {"batch_prompt": ["p"], "batch_response": ["r"], "further": 1},
        {"batch_response": []},
        ["p"],
        None,
    ],
)
async def test_a_body_of_another_shape_is_refused(http: Any, body: Any) -> None:
    assert (await post(http, body)).status_code == 422


@pytest.mark.parametrize(
    "content",
    [b"", b"\xc1", msgspec.msgpack.encode(scored(["p"], ["r"]))[:-1], b"\x81\xa1\xff\x01", b"\xdf\xff\xff\xff\xff"],
)
async def test_what_is_no_messagepack_is_a_broken_body(http: Any, content: bytes) -> None:
    assert (await post(http, content)).status_code in (400, 422)


async def test_depth_and_size_are_bounded(speak: Any) -> None:
    async with speak(max_samples=4, max_text_chars=100) as http:
        assert (await post(http, b"\x91" * 100_000)).status_code in (400, 422)
        assert (await post(http, scored(["p"] * 5, ["r"] * 5))).status_code == 413
        assert (await post(http, compared(["p"] * 3, *[("a", "b")] * 3))).status_code == 413
        assert (await post(http, scored(["p"], ["r" * 101]))).status_code == 413
        assert (await post(http, scored(["p"] * 4, ["r" * 100] * 4))).status_code == 200
