"""One prompt and response have one score, whoever asks for it and however."""

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.anyio

Asked = tuple[str, Any, Callable[[Any], Any]]


def _said(text: str) -> dict[str, Any]:
    return {"output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}]}


def raw(prompt: str, response: str) -> dict[str, Asked]:
    """Dialects that give the reward as it is: path, body, and where the number stands."""
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
    graded = {"type": "score_model", "model": "ratio", "input": turns}
    return {
        "openrlhf": (
            "/get_reward",
            {"query": [prompt + response], "prompts": [prompt], "labels": [None]},
            lambda body: body["rewards"][0],
        ),
        "slime": ("/rm", {"prompt": prompt, "response": response, "label": None}, lambda body: body),
        "nemo_gym": (
            "/verify",
            {"responses_create_params": {"input": prompt}, "response": _said(response)},
            lambda body: body["reward"],
        ),
        "vllm chat": (
            "/classify",
            {"messages": turns, "use_activation": False},
            lambda body: body["data"][0]["probs"][0],
        ),
        "vllm pairs": (
            "/score",
            {"text_1": prompt, "text_2": response, "use_activation": False},
            lambda body: body["data"][0]["score"],
        ),
        "tei": ("/predict", {"inputs": [[prompt, response]], "raw_scores": True}, lambda body: body[0][0]["score"]),
        "judge": (
            "/v1/chat/completions",
            {"model": "model", "messages": turns},
            lambda body: float(re.findall(r"-?[\d.]+", body["choices"][0]["message"]["content"])[-1]),
        ),
        "graders": (
            "/fine_tuning/alpha/graders/run",
            {"grader": graded, "model_sample": ""},
            lambda body: body["reward"],
        ),
        "reward-kit": ("/reward", {"messages": turns}, lambda body: body["score"]),
    }


def bounded(prompt: str, response: str) -> dict[str, Asked]:
    """Dialects that give it in [0, 1]."""
    ranking = {"model": "model", "query": prompt, "documents": [response]}
    return {
        "vllm": ("/score", {"text_1": prompt, "text_2": response}, lambda body: body["data"][0]["score"]),
        "vllm rerank": ("/rerank", ranking, lambda body: body["results"][0]["relevance_score"]),
        "cohere": ("/v2/rerank", ranking, lambda body: body["results"][0]["relevance_score"]),
        "sglang rerank": ("/sglang/v1/rerank", ranking, lambda body: body[0]["score"]),
        "tei": ("/rerank", {"query": prompt, "texts": [response]}, lambda body: body[0]["score"]),
    }


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}"), min_size=1, max_size=30)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(prompt=TEXT, response=TEXT)
async def test_every_dialect_has_the_score_of_our_own_api(http: Any, prompt: str, response: str) -> None:
    wanted = await http.native(prompt, response)
    for name, (path, body, number) in raw(prompt, response).items():
        assert number(await http.ok(path, body)) == pytest.approx(wanted, rel=1e-5, abs=1e-5), name
    sigmoid = 1.0 / (1.0 + math.exp(-wanted))
    for name, (path, body, number) in bounded(prompt, response).items():
        assert number(await http.ok(path, body)) == pytest.approx(sigmoid, rel=1e-5), name


@pytest.mark.parametrize(
    ("path", "body", "number"),
    [
        ("/v1/score/evaluation", {"messages": ["It is so."]}, lambda body: body["scores"][0]),
        ("/classify", {"input": "It is so.", "use_activation": False}, lambda body: body["data"][0]["probs"][0]),
        ("/pooling", {"input": "It is so."}, lambda body: body["data"][0]["data"][0]),
        ("/v1/embeddings", {"input": "It is so."}, lambda body: body["data"][0]["embedding"][0]),
        ("/sglang/classify", {"text": "It is so."}, lambda body: body["embedding"][0]),
        ("/predict", {"inputs": "It is so.", "raw_scores": True}, lambda body: body[0]["score"]),
    ],
)
async def test_a_single_text_is_a_response_without_a_prompt(http: Any, path: str, body: Any, number: Any) -> None:
    assert number(await http.ok(path, {"model": "model", **body})) == pytest.approx(await http.native("", "It is so."))
