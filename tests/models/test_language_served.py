"""The language model on the real Triton, and likelihood rewards of texts alone through the whole gateway."""

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.grpc as client
from reward_models.evaluate.likelihood import read_texts
from reward_models.runtime.instance import Instance
from reward_models.runtime.language import LanguageScorer

pytestmark = pytest.mark.stack


def post(stack: Any, path: str, *items: dict[str, Any], **params: Any) -> list[Any]:
    answer = httpx.post(f"{stack.http}/v1/{path}", json={"items": items, "params": params}, timeout=120)
    assert answer.status_code == 200, answer.text
    results: list[Any] = answer.json()["results"]
    return results


def test_triton_gives_the_vector_of_every_row(stack: Any, start: Callable[[str], Instance]) -> None:
    rows = {
        "prompt": [before for before, _ in read_texts()[:3]],
        "response": [*(rest for _, rest in read_texts()[:2]), ""],
    }
    tensors = []
    for name, values in rows.items():
        tensors.append(client.InferInput(name, [len(values), 1], "BYTES"))
        tensors[-1].set_data_from_numpy(np.array([[value.encode()] for value in values], np.object_))
    with client.InferenceServerClient(stack.triton) as server:
        result = server.infer("language_model", tensors)
        plain = server.infer("language_model", tensors, outputs=[client.InferRequestedOutput("score")])
    expected = LanguageScorer(start("language_model")).score(
        {name: [value.encode() for value in values] for name, values in rows.items()}, 3
    )
    assert expected.vectors is not None
    for said, vector in zip(result.as_numpy("vector").reshape(-1), expected.vectors, strict=True):
        np.testing.assert_allclose(np.frombuffer(said, "<f4"), vector, atol=5e-5, rtol=0)
    np.testing.assert_allclose(result.as_numpy("score"), expected.scores, atol=1e-5, rtol=2e-6)
    assert result.as_numpy("error")[2, 0].startswith(b"invalid_field")
    assert plain.as_numpy("vector") is None, "given to those alone who ask for it"


def test_a_chain_of_thought_that_leads_to_the_answer_makes_it_likelier(stack: Any) -> None:
    question = {"prompt": "Who was the first president of the USA?", "reference": "George Washington"}
    chains = (" He led the army in the war, and his name was George Washington.", " I like trains.")
    items = [{**question, "cot": cot} for cot in chains]
    led, idle = post(stack, "score/likelihood", *items, kind="avg_logprob")
    assert idle["reward"] < led["reward"] < 0
    assert led["details"]["tokens"] == 2
    again = post(stack, "score/likelihood", *items, kind="avg_logprob")
    assert [result["reward"] for result in again] == [led["reward"], idle["reward"]]


def test_follow_ups_of_six_categories_are_read_from_the_dialogue(stack: Any) -> None:
    messages = [{"role": "user", "content": "Capital of France?"}, {"role": "assistant", "content": "Paris."}]
    [result] = post(stack, "score/flr", {"messages": messages})
    assert len(result["details"]["categories"]) == 6
    assert np.isfinite(result["reward"])


def test_turns_that_find_the_answer_gain_information(stack: Any) -> None:
    found = " Result: the first president of the United States was George Washington, a general."
    item = {"prompt": "Who was the first president of the USA?", "gold": ["George Washington"]}
    [result] = post(stack, "credit/igpo", item | {"turn_texts": [found, "<answer>George Washington</answer>"]})
    gain, outcome = result["rewards"]
    assert gain > 0.03
    assert outcome == 1


def test_tokens_and_fluency_are_rewarded_from_texts(stack: Any) -> None:
    [tokens] = post(stack, "credit/treg", {"prompt": "Capital of Peru?", "response": "Lima, of course."})
    assert len(tokens["rewards"]) > 2
    assert all(abs(reward) < 0.5 for reward in tokens["rewards"])
    fluent, odd, none = post(
        stack,
        "score/perplexity",
        {"prompt": "The cat sat on", "response": " the mat."},
        {"prompt": "The cat sat on", "response": " mat the."},
        {"response": ""},
    )
    assert fluent["reward"] < odd["reward"]
    assert none["error"]["code"] == "invalid_field"


def test_two_hosted_models_are_compared_by_name(stack: Any) -> None:
    group = [{"response": " Lima.", "outcome": 1}, {"response": " Cusco.", "outcome": 0}]
    item = {"prompt": "The capital of Peru is", "group": group}
    [result] = post(stack, "credit/prime", item, model="language_model", reference="language_model@1")
    assert result["rewards"] == [[0.0] * len(rewards) for rewards in result["rewards"]], "a model is like itself"


def test_a_model_that_is_not_built_says_what_to_run(stack: Any) -> None:
    body = {"items": [{"response": "Hi"}], "params": {"model": "another_model"}}
    answer = httpx.post(f"{stack.http}/v1/score/perplexity", json=body, timeout=120)
    assert answer.status_code == 503
    assert "reward-gateway models build another_model" in answer.json()["error"]["message"]
