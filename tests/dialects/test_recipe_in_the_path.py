"""``/r/RECIPE/`` before any path chooses the recipe, for clients that append a path of their own to an address."""

import asyncio
import base64
import json
import pickle
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest
from reward_gateway.gateway import Gateway
from reward_gateway.http import dialects, routes
from reward_gateway.http.dialects.dialect import DIALECTS
from reward_gateway.http.routing import found_routes

from . import test_cosmos, test_flow_grpo, test_robometer

pytestmark = pytest.mark.anyio

NAMED = "lenient"
"""The recipe of the path. It has a number for every sample, so that any body of a dialect can be scored by it."""

SCORES_NOTHING = {
    *("/seed_session", "/close_session", "/aggregate_metrics", "/result", "/api/reward/pull", "/api/reward/ping"),
    *("/fine_tuning/alpha/graders/validate", "/v1/fine_tuning/alpha/graders/validate"),
}
"""Paths that ask for no score, without the dialect's prefix."""

GRADER = {
    "grader": {"type": "score_model", "model": "ratio", "input": [{"role": "assistant", "content": "{{item.a}}"}]},
    "model_sample": "",
    "item": {"a": "text"},
}
BODIES: dict[str, Any] = {
    "/fine_tuning/alpha/graders/run": GRADER,
    "/v1/fine_tuning/alpha/graders/run": GRADER,
    "/score": {"requests": [{"history": [{"text": "a red kite"}]}]},
}
"""Bodies that name no recipe, where the example of the page names one in a field that goes before the path."""

BYTES: dict[str, dict[str, Any]] = {
    "/": {"content": pickle.dumps({"images": [test_flow_grpo.PNG]})},
    "/api/reward/enqueue": {"content": test_cosmos.body(reward_fn={})},
    "/get_feedback": {"content": msgspec.msgpack.encode({"batch_prompt": ["p"], "batch_response": ["r"]})},
    "/evaluate_batch_npy": dict(zip(("data", "files"), test_robometer.parts(1), strict=True)),
}
"""Bodies of the dialects whose bodies are no JSON."""

SESSIONS = {"openreward", "openenv"}
"""Dialects whose calls go through a session, so that no single one can be tried here."""

ARGUMENTS = {"vertex": {"params": {"clip": "1"}}}
"""What a dialect needs besides for a recipe of any range."""


def list_calls() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and body of every route of every dialect that takes a body."""
    examples: dict[str, tuple[str, Any]] = {}
    for route in found_routes(routes, dialects):
        method = min(getattr(route, "methods", None) or {"GET"})
        body = (getattr(route, "openapi_extra", None) or {}).get("requestBody")
        if body is not None and method == "POST":
            examples[route.path] = method, body["content"].get("application/json", {}).get("example")  # type: ignore[attr-defined]
    for dialect in (each for name, each in DIALECTS.items() if name not in SESSIONS):
        prefix = f"/{dialect.policy.prefix}"
        for path in sorted({*dialect.paths} & {*examples}):
            method, example = examples[path]
            bare = path.removeprefix(prefix) if path.startswith(f"{prefix}/") else path
            if bare in BYTES:
                yield method, path, BYTES[bare] | ARGUMENTS.get(dialect.policy.name, {})
            elif bare not in SCORES_NOTHING and (example is not None or path.startswith(f"{prefix}/")):
                body = BODIES[bare] if bare in BODIES and dialect.policy.name in ("graders", "unirl") else example
                assert body is not None, f"{path}: give the route an example, or a body here"
                yield method, path, {"json": body} | ARGUMENTS.get(dialect.policy.name, {})


CALLS = list(list_calls())


@pytest.fixture
async def http(speak: Any) -> Any:
    async with speak(pickle=True) as found:
        yield found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The recipes that score, in their order."""
    names: list[str] = []
    original = Gateway.score_by

    async def scored(self: Gateway, plan: Any, batch: Any, options: Any = None) -> Any:
        found = await original(self, plan, batch, options)
        names.append(found.recipe)
        return found

    monkeypatch.setattr(Gateway, "score_by", scored)
    return names


async def call(http: Any, method: str, path: str, body: dict[str, Any]) -> httpx.Response:
    answer: httpx.Response = await http.client.request(method, path, **body)
    if path.endswith("/enqueue") and answer.status_code == 200:
        pulled = {"uuid": answer.json()["uuid"], "type": NAMED}
        pull = path.replace("/enqueue", "/pull")
        while (answer := await http.client.post(pull, data=pulled)).status_code == 400:
            await asyncio.sleep(0.01)
    return answer


def test_every_dialect_is_called() -> None:
    called = {path for _, path, _ in CALLS}
    for dialect in (each for name, each in DIALECTS.items() if name not in SESSIONS):
        assert called & {*dialect.paths}, dialect.policy.name


@pytest.mark.parametrize("before", ["/r/lenient", "/r/lenient/run/A", "/run/A/r/lenient"])
@pytest.mark.parametrize(("method", "path", "body"), CALLS, ids=[path for _, path, _ in CALLS])
async def test_every_dialect_is_scored_by_the_recipe_of_the_path(
    http: Any, asked: list[str], before: str, method: str, path: str, body: dict[str, Any]
) -> None:
    answer = await call(http, method, f"{before}{path}", body)
    assert answer.status_code == 200, answer.text
    assert set(asked) == {NAMED}


@pytest.mark.parametrize(("method", "path", "body"), CALLS, ids=[path for _, path, _ in CALLS])
async def test_no_dialect_answers_for_a_recipe_that_is_none(
    http: Any, asked: list[str], method: str, path: str, body: dict[str, Any]
) -> None:
    answer = await call(http, method, f"/r/nobody{path}", body)
    own_statuses = {"/unirl/score": 400, "/axolotl/verify": 200}
    assert answer.status_code == own_statuses.get(path, 404), answer.text
    assert asked == []


async def test_the_body_goes_before_the_path_and_the_path_before_query_and_model(http: Any, asked: list[str]) -> None:
    samples = [{"prompt": "p", "response": "r"}]
    await http.ok("/r/chat/v1/score", {"reward": "share", "samples": []})
    await http.ok("/r/chat/v1/score?reward=share", {"model": "share", "samples": samples})
    await http.ok("/r/chat/rm?reward=share", {"prompt": "p", "response": "r", "model": "share"})
    await http.ok("/r/chat/rm", {"prompt": "p", "response": "r", "reward": "lenient"})
    assert asked == ["share", "chat", "chat", "lenient"]


async def test_a_row_of_the_callers_own_data_chooses_no_recipe(http: Any, asked: list[str]) -> None:
    row = {
        "responses_create_params": {"input": "p"},
        "response": {"output": [{"type": "message", "role": "assistant", "content": "r"}]},
        "reward": "share",
        "model": "share",
        "recipe": "share",
    }
    for path in ("/verify", "/nemo_gym/verify", "/r/chat/verify", "/verify?reward=chat"):
        assert (await http.ok(path, row))["reward"] != 0
    assert asked == ["ratio", "ratio", "chat", "chat"]


TENSORS = {"prompt": "p", "response": "ropes"}


def tensors(**texts: str) -> dict[str, Any]:
    return {
        "inputs": [
            {"name": name, "shape": [1, 1], "datatype": "BYTES", "data": [text]}
            for name, text in (texts or TENSORS).items()
        ]
    }


async def test_reward_model_means_the_recipe_of_the_path(http: Any, asked: list[str]) -> None:
    answer = await http.ok("/r/lenient/v2/models/reward_model/infer", tensors())
    assert answer["outputs"][0]["data"] == [pytest.approx(await http.native("p", "ropes", "lenient"))]
    nemo = await http.ok("/r/begins/v2/models/reward_model/infer", tensors(sentences="ropes"))
    assert nemo["outputs"][0]["data"] == [1.0]
    assert asked == ["lenient", "lenient", "begins"]
    for path in ("", "/config", "/ready"):
        assert (await http.client.get(f"/r/lenient/v2/models/reward_model{path}")).status_code == 200
    assert (await http.post("/r/nobody/v2/models/reward_model/infer", tensors())).status_code == 404
    assert (await http.client.get("/r/nobody/v2/models/reward_model/ready")).status_code == 404


@pytest.mark.parametrize("between", ["", "/tei", "/v1", "/vllm/v1", "/run/A", "/unirl"])
async def test_health_is_that_of_the_recipe(http: Any, between: str) -> None:
    async def health(name: str) -> httpx.Response:
        found: httpx.Response = await http.client.get(f"/r/{name}{between}/health")
        return found

    answer = await health("ratio")
    assert (answer.status_code, answer.json()["reward"], answer.json()["rewards"]) == (200, "ratio", {"ratio": [True]})
    assert (await health("nobody")).status_code == 404
    http.models.away = True
    away = await health("ratio")
    assert (away.status_code, away.json()["ready"]) == (503, False)
    assert (await health("share")).status_code == 200  # a rule asks no model


async def test_health_needs_no_key_and_the_rest_does(speak: Any, tmp_path: Any) -> None:
    (tmp_path / "keys.yaml").write_text("keys: [{name: trainer, key: abcdefgh}]")
    body = {"prompt": "p", "response": "r"}
    async with speak(api_keys_file=tmp_path / "keys.yaml") as keyed:
        assert (await keyed.client.get("/r/ratio/health")).status_code == 200
        for path in ("/r/ratio/rm", "/r/ratio/livez/rm", "/r/nobody/rm", "/r/ratio/v1/state"):
            assert (await keyed.post(path, body)).status_code == 401, path
        basic = base64.b64encode(b"x:abcdefgh").decode()
        await keyed.ok("/r/ratio/rm", body, headers={"authorization": f"Basic {basic}"})
        answer = await keyed.client.delete("/r/ratio/v1/state/moments/s", headers={"x-api-key": "abcdefgh"})
        assert answer.status_code == 403  # the right of the path behind the name


async def test_a_name_is_one_percent_encoded_segment(http: Any) -> None:
    assert await http.ok(f"/r/{quote('ratio')}/rm", {"prompt": "p", "response": "r"}) is not None
    assert await http.ok("/r/r%61tio/rm", {"prompt": "p", "response": "r"}) is not None
    for name in ("a%2Fb", "%FF", "%", "x" * 3000, "%00"):
        answer = await http.client.post(f"/r/{name}/rm", content=json.dumps({"prompt": "p", "response": "r"}))
        assert answer.status_code == 404, name
    assert (await http.post("/r/ratio/r/ratio/rm", {"prompt": "p", "response": "r"})).status_code == 404


async def test_information_about_the_recipe_of_the_path(http: Any) -> None:
    assert (await http.client.get("/r/share/info")).json()["model_id"] == "share"
    assert (await http.client.get("/r/share/readyz")).json()["reward"] == "share"
    assert (await http.client.get("/r/share/livez")).status_code == 200
