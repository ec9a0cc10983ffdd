"""Rerank for Cohere's SDK and vLLM's clients: on the paths that both have, each finds its own keys."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio

PATHS = [
    "/rerank",
    "/v1/rerank",
    "/v2/rerank",
    "/vllm/rerank",
    "/vllm/v1/rerank",
    "/cohere/v1/rerank",
    "/cohere/v2/rerank",
]
BODY = {"model": "reward_model", "query": "q", "documents": ["a", "ccc", "bb"]}


@pytest.mark.parametrize(
    "path",
    [
        "/rerank",
        "/v1/rerank",
        "/v2/rerank",
        "/vllm/rerank",
        "/vllm/v1/rerank",
        "/cohere/v1/rerank",
        "/cohere/v2/rerank",
    ],
)
async def test_the_best_document_stands_first_with_a_score_in_zero_to_one(http: Any, unit: Any, path: str) -> None:
    scores = [unit(await http.native("q", text)) for text in BODY["documents"]]
    found = await http.ok(path, BODY)
    assert [row["index"] for row in found["results"]] == [1, 2, 0]
    assert [row["relevance_score"] for row in found["results"]] == [pytest.approx(scores[i]) for i in (1, 2, 0)]
    assert [row["index"] for row in (await http.ok(path, {**BODY, "top_n": 2}))["results"]] == [1, 2]
    assert (await http.ok(path, {**BODY, "documents": []}))["results"] == []


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
async def test_a_shared_path_has_the_keys_of_both(http: Any, path: str) -> None:
    found = await http.ok(path, BODY)
    assert set(found) == {"id", "model", "usage", "results", "meta"}
    assert set(found["results"][0]) == {"index", "document", "relevance_score"}
    assert set(found["meta"]) == {"api_version", "billed_units", "tokens", "warnings"}


async def test_by_itself_each_has_its_own_keys_alone(http: Any) -> None:
    assert set(await http.ok("/vllm/rerank", BODY)) == {"id", "model", "usage", "results"}
    cohere = await http.ok("/cohere/v2/rerank", BODY)
    assert set(cohere) == {"id", "results", "meta"}
    assert set(cohere["results"][0]) == {"index", "relevance_score"}
    first = await http.ok("/cohere/v1/rerank", {**BODY, "return_documents": True})
    assert first["results"][0]["document"] == {"text": "ccc"}


async def test_documents_may_be_objects_with_a_text(http: Any) -> None:
    found = await http.ok("/v1/rerank", {**BODY, "documents": [{"text": "a"}, {"text": "bb", "title": "t"}]})
    assert [row["document"]["text"] for row in found["results"]] == ["bb", "a"]
    answer = await http.post("/v1/rerank", {**BODY, "documents": [{"title": "t"}]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "documents[0]")


async def test_one_document_that_cannot_be_scored_fails_the_request_in_both_forms(http: Any) -> None:
    answer = await http.post("/v2/rerank", {**BODY, "documents": ["good", "bad"]})
    assert answer.status_code == 422
    assert answer.json()["message"] == answer.json()["error"]["message"]
    answer = await http.post("/cohere/v2/rerank", {**BODY, "documents": ["good", "bad"]})
    assert set(answer.json()) == {"message"}
