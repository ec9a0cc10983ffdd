"""``Idempotency-Key`` on its way from every HTTP path to the dataplane."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.scoring.single_operations import SingleOperations

pytestmark = pytest.mark.anyio

SAMPLE = {"prompt": "p", "response": "abc"}
TENSORS = [
    {"name": "prompt", "shape": [1, 1], "datatype": "BYTES", "data": ["p"]},
    {"name": "response", "shape": [1, 1], "datatype": "BYTES", "data": ["abc"]},
]


@pytest.fixture
def scopes(monkeypatch: pytest.MonkeyPatch) -> list[RequestScope]:
    """Of everything that was scored or applied, in order."""
    seen: list[RequestScope] = []
    score, apply = Gateway.score, SingleOperations.answer_request

    async def scored(self: Gateway, batch: Any, reward: str, options: ScoreOptions | None = None) -> Any:
        seen.append((options or ScoreOptions()).scope)
        return await score(self, batch, reward, options)

    async def applied(self: SingleOperations, *args: Any, **kwargs: Any) -> Any:
        seen.append(kwargs["scope"])
        return await apply(self, *args, **kwargs)

    monkeypatch.setattr(Gateway, "score", scored)
    monkeypatch.setattr(SingleOperations, "answer_request", applied)
    return seen


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/score", {"samples": [SAMPLE]}),
        ("/v1/transform/affine", {"items": [{"reward": 1.0}], "params": {"scale": 2.0}}),
        ("/v1/score", {"text_1": "p", "text_2": "abc"}),
        ("/get_reward", {"query": ["abc"], "prompts": ["p"]}),
        ("/rm", {"prompt": "p", "response": "abc"}),
        ("/v2/models/plain/infer", {"inputs": TENSORS}),
    ],
)
async def test_the_key_and_the_caller_reach_the_dataplane(
    serve: Any, scopes: list[RequestScope], path: str, body: Any, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.yaml"
    digest = hashlib.sha256(b"a-secret-key").hexdigest()
    keys.write_text(json.dumps({"keys": [{"name": "trainer", "sha256": digest}]}))
    async with serve(api_keys_file=keys) as served:
        headers = {"Idempotency-Key": "a key, with ~", "Authorization": "Bearer a-secret-key"}
        answer = await served.client.post(path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
    assert scopes == [RequestScope("trainer", "", "a key, with ~")]


async def test_without_a_key_every_request_is_a_new_one(served: Any, scopes: list[RequestScope]) -> None:
    await served.score({"samples": [SAMPLE]}, headers={"X-Request-Id": "the-same"})
    assert scopes == [RequestScope("anonymous", "", None)]


@pytest.mark.parametrize("key", ["", "é", "a\tb", "x" * 257])
async def test_a_key_that_is_none_is_refused(served: Any, key: str) -> None:
    answer = await served.score({"samples": [SAMPLE]}, headers={"Idempotency-Key": key.encode("latin-1")})
    error = served.refused(answer, 422, "Idempotency-Key")
    assert "1 to 256 printable ASCII" in error["message"]


async def test_the_longest_key_passes(served: Any) -> None:
    answer = await served.score({"samples": [SAMPLE]}, headers={"Idempotency-Key": " ".join(["x" * 127, "y" * 128])})
    assert answer.status_code == 200


async def test_a_request_that_is_scored_in_parts_has_a_key_for_each(served: Any, scopes: list[RequestScope]) -> None:
    def grader(name: str) -> dict[str, Any]:
        said = [{"role": "user", "content": "p"}, {"role": "assistant", "content": name}]
        return {"type": "score_model", "name": name, "model": "plain", "input": said}

    whole = {
        "type": "multi",
        "name": "both",
        "graders": {"one": grader("one"), "other": grader("other")},
        "calculate_output": "one + other",
    }
    for _ in range(2):
        answer = await served.client.post(
            "/v1/fine_tuning/alpha/graders/run",
            json={"grader": whole, "model_sample": "x"},
            headers={"Idempotency-Key": "k"},
        )
        assert answer.status_code == 200, answer.text
    keys = [scope.idempotency_key for scope in scopes]
    assert keys[:2] == keys[2:]
    assert keys[0] == "k" != keys[1]
