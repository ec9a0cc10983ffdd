"""SGLang's clients post ``text`` to ``/classify`` and read the first number of an embedding."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/classify", "/sglang/classify", "/encode"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_texts_are_an_array_and_one_text_is_an_object(http: Any, path: str, method: str) -> None:
    answer = await http.client.request(method, path, json={"model": "model", "text": ["a", "bbb"]})
    wanted = [[pytest.approx(await http.native("", text))] for text in ("a", "bbb")]
    assert [row["embedding"] for row in answer.json()] == wanted
    assert {frozenset(row) for row in answer.json()} == {frozenset({"embedding", "meta_info"})}
    single = await http.client.request(method, path, json={"text": "bbb"})
    assert single.json()["embedding"] == wanted[1]


async def test_rewards_are_raw_and_a_failure_is_an_error_object(http: Any) -> None:
    answer = await http.post("/classify", {"text": ["good", "bad"]})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"]


async def test_rerank_is_a_bare_array_below_the_prefix(http: Any, unit: Any) -> None:
    found = await http.ok("/sglang/v1/rerank", {"query": "p", "documents": ["a", "bb"]})
    scores = {text: unit(await http.native("p", text)) for text in ("a", "bb")}
    assert [(row["document"], row["index"]) for row in found] == [("bb", 1), ("a", 0)]
    assert [row["score"] for row in found] == [pytest.approx(scores[row["document"]]) for row in found]
