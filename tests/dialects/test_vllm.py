"""vLLM's clients, verl's among them: a text or a chat to a probability or a raw reward, pairs to scores."""

import base64
import struct
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

NAMES = [("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2")]
LIST = {"id", "object", "created", "model", "data", "usage"}


@pytest.mark.parametrize("path", ["/classify", "/v1/classify", "/vllm/classify"])
async def test_classify_gives_the_raw_reward_only_without_activation(http: Any, unit: Any, path: str) -> None:
    reward = await http.native("", "It is so.")
    asked: list[tuple[dict[str, bool], float]] = [({}, unit(reward)), ({"use_activation": True}, unit(reward))]
    asked += [({name: False}, reward) for name in ("use_activation", "activation", "softmax")]
    for extra, wanted in [*asked, ({"use_activation": False, "softmax": True}, reward)]:
        found = await http.ok(path, {"model": "model", "input": "It is so.", **extra})
        assert set(found) == LIST
        (row,) = found["data"]
        assert set(row) == {"index", "label", "probs", "num_classes"}
        assert row["probs"] == [pytest.approx(wanted)]


async def test_verl_reads_the_last_probability_of_the_last_row(http: Any) -> None:
    found = await http.ok("/classify", {"model": "model", "input": "It is so.", "use_activation": False})
    assert found["data"][-1]["probs"][-1] == pytest.approx(await http.native("", "It is so."))


async def test_verl_reads_a_sglang_reward_as_an_embedding(http: Any) -> None:
    found = await http.ok("/v1/embeddings", {"model": "model", "input": "It is so."})
    assert found["data"][-1]["embedding"][-1] == pytest.approx(await http.native("", "It is so."))
    packed = await http.ok("/v1/embeddings", {"model": "model", "input": "It is so.", "encoding_format": "base64"})
    (value,) = struct.unpack("<f", base64.b64decode(packed["data"][0]["embedding"]))
    assert value == pytest.approx(await http.native("", "It is so."), rel=1e-6)


async def test_several_inputs_keep_their_order(http: Any) -> None:
    found = await http.ok("/classify", {"model": "model", "input": ["a", "bbb", "cc"], "use_activation": False})
    wanted = [pytest.approx(await http.native("", text)) for text in ("a", "bbb", "cc")]
    assert [row["probs"][0] for row in found["data"]] == wanted
    assert [row["index"] for row in found["data"]] == [0, 1, 2]
    assert (await http.ok("/classify", {"model": "model", "input": []}))["data"] == []


async def test_the_last_message_of_a_chat_is_the_response(http: Any) -> None:
    chat = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": [{"type": "text", "text": "So."}]}]
    found = await http.ok("/classify", {"model": "model", "messages": chat, "use_activation": False})
    assert found["data"][0]["probs"] == [pytest.approx(await http.native("Why?", "So."))]


async def test_a_chat_of_one_message_of_the_user_is_a_single_text_and_of_the_assistant_has_no_prompt(http: Any) -> None:
    rendered = "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\nSo.<|im_end|>"
    for text, sample, flags in (("So.", ("", "So."), "0:plain_text"), (rendered, ("Why?", "So."), None)):
        asked = {"model": "model", "messages": [{"role": "user", "content": text}], "use_activation": False}
        found = await http.post("/classify", asked)
        assert found.json()["data"][0]["probs"] == [pytest.approx(await http.native(*sample))]
        assert found.headers.get("x-reward-flags") == flags
    answered = {"model": "model", "messages": [{"role": "assistant", "content": "So."}]}
    refused = await http.post("/classify", answered)
    assert (refused.status_code, "reads the prompt" in refused.text) == (422, True)


async def test_pooling_gives_raw_rewards(http: Any) -> None:
    for path in ("/pooling", "/vllm/pooling"):
        found = await http.ok(path, {"model": "model", "input": ["a", "bbb"]})
        assert set(found) == LIST
        assert [row["data"] for row in found["data"]] == [
            [pytest.approx(await http.native("", text))] for text in ("a", "bbb")
        ]


@pytest.mark.parametrize("path", ["/score", "/v1/score", "/vllm/score", "/vllm/v1/score"])
@pytest.mark.parametrize(
    "names", [("text_1", "text_2"), ("queries", "documents"), ("queries", "items"), ("data_1", "data_2")]
)
async def test_pairs_are_scored_one_to_many_and_one_to_one(http: Any, unit: Any, path: str, names: Any) -> None:
    one, two = names
    wanted = [pytest.approx(unit(await http.native("p", r))) for r in ("a", "bbb")]
    for first in ("p", ["p"], ["p", "p"]):
        found = await http.ok(path, {"model": "model", one: first, two: ["a", "bbb"]})
        assert set(found) == LIST
        assert [row["score"] for row in found["data"]] == wanted
        assert {row["object"] for row in found["data"]} == {"score"}


async def test_our_own_score_requests_stay_ours(http: Any) -> None:
    found = await http.ok("/v1/score", {"samples": [{"prompt": "p", "response": "a"}]})
    assert "results" in found


async def test_pairs_of_different_lengths_are_refused(http: Any) -> None:
    answer = await http.post("/score", {"model": "model", "text_1": ["a", "b"], "text_2": ["c"]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "text_2")


async def test_a_score_in_zero_to_one_is_left_as_it_is(http: Any) -> None:
    found = await http.ok("/score?reward=begins", {"model": "model", "text_1": "p", "text_2": ["r", "s"]})
    assert [row["score"] for row in found["data"]] == [1.0, 0.0]


async def test_one_text_that_cannot_be_scored_fails_the_request(http: Any) -> None:
    for path, body in (
        ("/classify", {"input": ["good", "bad"]}),
        ("/pooling", {"input": ["good", "bad"]}),
        ("/score", {"text_1": "p", "text_2": ["good", "bad"]}),
    ):
        answer = await http.post(path, {"model": "model", **body})
        assert answer.status_code == 422
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    http.models.away = True
    assert (await http.post("/classify", {"model": "model", "input": "good"})).status_code == 503


async def test_token_ids_without_a_tokenizer_are_refused_with_what_to_do(http: Any) -> None:
    for ids in ([1, 2, 3], [[1], [2, 3]]):
        answer = await http.post("/classify", {"model": "model", "input": ids})
        assert answer.status_code == 422
        assert "REWARD_GATEWAY_OIP_TOKENIZER" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/classify", "/score", "/rerank"])
@pytest.mark.parametrize("body", [{}, {"nobody": 1}, [], "text", 1])
async def test_a_body_that_nobody_knows_is_refused_with_those_that_are_known(http: Any, path: str, body: Any) -> None:
    answer = await http.post(path, body)
    assert answer.status_code == 422
    assert "send" in answer.json()["error"]["message"]
