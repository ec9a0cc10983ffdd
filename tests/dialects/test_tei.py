"""text-embeddings-inference: a pair is a list of two texts, a batch a list of lists, an error has a type."""

import asyncio
from typing import Any

import pytest

from tests.clock import until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/predict", "/tei/predict"])
async def test_a_text_a_pair_and_a_batch(http: Any, unit: Any, path: str) -> None:
    text, pair = await http.native("", "one"), await http.native("one", "two")
    assert await http.ok(path, {"inputs": "one"}) == [{"score": pytest.approx(unit(text)), "label": "LABEL_0"}]
    assert (await http.ok(path, {"inputs": ["one", "two"]}))[0]["score"] == pytest.approx(unit(pair))
    batch = await http.ok(path, {"inputs": [["one"], ["one", "two"]], "raw_scores": True})
    assert [row[0]["score"] for row in batch] == [pytest.approx(text), pytest.approx(pair)]
    assert len(await http.ok(path, {"inputs": [["one"]]})) == 1


@pytest.mark.parametrize("path", ["/rerank", "/tei/rerank"])
async def test_texts_are_put_in_order(http: Any, unit: Any, path: str) -> None:
    rewards = [await http.native("q", text) for text in ("a", "ccc", "bb")]
    found = await http.ok(path, {"query": "q", "texts": ["a", "ccc", "bb"]})
    assert found == [{"index": i, "score": pytest.approx(unit(rewards[i]))} for i in (1, 2, 0)]
    found = await http.ok(path, {"query": "q", "texts": ["a"], "raw_scores": True, "return_text": True})
    assert found == [{"index": 0, "text": "a", "score": pytest.approx(rewards[0])}]


async def test_info_says_what_is_served(http: Any) -> None:
    for path in ("/info", "/tei/info"):
        found = (await http.client.get(path)).json()
        assert found["model_id"] == "ratio"
        assert found["max_client_batch_size"] == 4096
        assert set(found["model_type"]) == {"classifier"}


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/predict", {"inputs": []}, 400, "Empty"),
        ("/predict", {"inputs": [[]]}, 400, "Empty"),
        ("/tei/rerank", {"query": "q", "texts": []}, 400, "Empty"),
        ("/rerank", {"query": "q", "texts": []}, 400, "Empty"),
        ("/predict", {"inputs": ["a", "b", "c"]}, 422, "Validation"),
        ("/predict", {"inputs": 3}, 422, "Validation"),
        ("/predict", {"inputs": [["good"], ["bad"]]}, 422, "Validation"),
        ("/predict", {"inputs": [["x"]] * 4097}, 413, "Validation"),
        ("/rerank", {"query": "q", "texts": ["good", "bad"]}, 422, "Validation"),
    ],
)
async def test_errors_have_a_type(http: Any, path: str, body: Any, status: int, kind: str) -> None:
    answer = await http.post(path, body)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "error_type"}
    assert answer.json()["error_type"] == kind


async def test_models_that_are_away_are_the_backends_failure_and_a_full_house_is_429(http: Any, speak: Any) -> None:
    http.models.away = True
    answer = await http.post("/predict", {"inputs": "one"})
    assert (answer.status_code, answer.json()["error_type"]) == (424, "Backend")
    async with speak(max_in_flight=1, max_queued=0) as busy:
        busy.models.gate.shut()
        held = asyncio.create_task(busy.post("/predict", {"inputs": "one"}))
        await until(lambda: busy.models.calls)
        answer = await busy.post("/predict", {"inputs": "one"})
        busy.models.gate.open()
        assert (await held).status_code == 200
    assert (answer.status_code, answer.json()["error_type"]) == (429, "Overloaded")
