"""LLaMA-Factory posts whole texts and looks at ``scores`` alone, whatever the status says."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/v1/score/evaluation", "/llama_factory/v1/score/evaluation"])
async def test_texts_are_scored_one_for_one(http: Any, path: str) -> None:
    found = await http.ok(path, {"model": "model", "messages": ["one", "three"]})
    assert set(found) == {"id", "object", "model", "scores"}
    assert found["object"] == "score.evaluation"
    assert found["scores"] == [pytest.approx(await http.native("", text)) for text in ("one", "three")]


async def test_every_refusal_is_without_scores(http: Any) -> None:
    path = "/v1/score/evaluation"
    refused = [
        await http.post(path, {"model": "model", "messages": ["good", "bad"]}),
        await http.post(path, {"model": "model", "messages": []}),
        await http.post(path, {"model": "model", "messages": [{"role": "user", "content": "chat"}]}),
        await http.post(path + "?reward=nobody", {"model": "model", "messages": ["good"]}),
    ]
    http.models.away = True
    refused.append(await http.post(path, {"model": "model", "messages": ["good"]}))
    assert [answer.status_code for answer in refused] == [422, 400, 422, 404, 503]
    assert all(set(answer.json()) == {"error"} for answer in refused)


async def test_its_own_template_is_read_back(http: Any) -> None:
    text = "Human: Why?<|im_end|>\nAssistant:So.<|im_end|>\n"
    await http.ok("/v1/score/evaluation", {"model": "model", "messages": [text]})
    assert http.models.seen == [("Why?", "So.")]
