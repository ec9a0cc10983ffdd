"""A key with ``rewards`` may use these recipes only, over every route: any other name is refused, whether anything has
it or not, and no listing shows it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from reward_gateway.gateway import Gateway
from reward_gateway.http import dialects, routes
from reward_gateway.http.routing import found_routes

from .test_recipe_in_the_path import CALLS, NAMED, call, tensors

pytestmark = pytest.mark.anyio

FREE, BOUND = "the key of all recipes", "the key of one recipe"
FILE = f"""
keys:
  - {{name: free, key: "{FREE}", rights: [score, state], tenant: team}}
  - {{name: bound, key: "{BOUND}", rights: [score, state], tenant: team, rewards: [{NAMED}, "traits:calm", short]}}
"""
ALIASES = "model_aliases: {short: begins, long: share, best: ratio}\n"
HIDDEN, NOBODY = "share", "nobody"
"""Names of a recipe that the key may not use, and of none."""

UNUSUAL = ("routed_prompts", "unmarked", "endless", "pictures")
"""Names of recipes and of a model that the key may not use, which no text has for another reason."""

OPEN = {"/livez", "/readyz", "/health", "/v2/health/live", "/v2/health/ready", "/metrics"}
"""What answers without a key, and names all recipes."""

NAMES_NO_RECIPE = {
    # Documentation, and what checks or describes files
    *("/docs", "/docs/guide", "/docs/{file}", "/docs/guide/{path:path}", "/v1/rewards:validate"),
    # Single operations are no recipes
    *("/v1/{kind:kind}/{name}", "/pages/operations/{kind}/{name}", "/v1/programs"),
    # Of an experiment that the caller may not see it is said that there is none
    "/v1/experiments/{name}",
    # Answers of earlier requests, and the tenant's own state
    *("/v1/jobs/{job}", "/v1/jobs/{job}/events", "/v1/runs", "/v1/runs/", "/v1/runs/{run}", "/v1/runs/{run}/results"),
    *("/v1/runs/{run}/results:ack", "/v1/samples", "/v1/samples/pairs", "/v1/samples/{id}/mark", "/v1/state"),
    *("/v1/state:accept-reset", "/v1/state:runs", "/v1/state:migrate", "/v1/state/{kind}/{name:path}"),
    *("/v1/usage", "/v1/calibrations", "/v1/calibrations/{name}", "/api/reward/pull", "/cosmos_rl/api/reward/pull"),
    *("/api/reward/ping", "/cosmos_rl/api/reward/ping", "/roll/result"),
    # For keys with the right admin, which may use every recipe
    *("/v1/models/{name}/head", "/v1/models/{name}/rollback"),
    *("/v2/repository/models/{model}/load", "/v2/repository/models/{model}/unload"),
    # Bookkeeping of environments and graders, which asks for no score
    *("/nemo_gym/seed_session", "/seed_session", "/nemo_gym/close_session", "/close_session"),
    *("/nemo_gym/aggregate_metrics", "/aggregate_metrics", "/openenv/reset", "/reset", "/state", "/openenv/state"),
    *(
        "/schema",
        "/openenv/schema",
        "/version",
        "/openreward/version",
        "/ping",
        "/openreward/ping",
        "/create_session",
        "/openreward/create_session",
    ),
    *("/delete", "/openreward/delete", "/delete_session", "/openreward/delete_session"),
    *(f"{prefix}/fine_tuning/alpha/graders/validate" for prefix in ("", "/openai", "/v1", "/openai/v1")),
}

OF_A_SESSION = {
    f"{prefix}{environment}/{what}"
    for prefix in ("", "/openreward")
    for environment in ("", "/{environment}")
    for what in ("task_tools", "prompt", "messages", "call", "score_group")
} | {"/openenv/step", "/step", "/ws", "/openenv/ws"}
"""Paths whose recipe is that of the session's task."""

BARE = {"/classify", "/get_reward", "/rerank", "/score"}
"""Paths that several dialects share: the body chooses one, whose own path is called."""

NAMED_IN_PATH: dict[str, tuple[str, Any]] = {
    "/v1/rewards/{name}": ("GET", None),
    "/pages/rewards/{name}": ("GET", None),
    "/v1/models/{name}": ("GET", None),
    "/v1/references/{name}": ("PUT", {"references": [{"prompt": "p", "rewards": [1.0]}]}),
    "/v2/models/{name}": ("GET", None),
    "/v2/models/{name}/config": ("GET", None),
    "/v2/models/{name}/ready": ("GET", None),
    "/v2/models/{name}/stats": ("GET", None),
    "/v2/models/{name}/infer": ("POST", tensors()),
    "/v2/models/{name}/versions/1": ("GET", None),
    "/v2/models/{name}/versions/1/config": ("GET", None),
    "/v2/models/{name}/versions/1/ready": ("GET", None),
    "/v2/models/{name}/versions/1/stats": ("GET", None),
    "/v2/models/{name}/versions/1/infer": ("POST", tensors()),
    **{f"{prefix}/{{name}}/{what}": ("GET", None) for prefix in ("", "/openreward") for what in ("tools", "splits")},
    **{
        f"{prefix}/{{name}}/{what}": ("POST", body)
        for prefix in ("", "/openreward")
        for what, more in (("tasks", {}), ("num_tasks", {}), ("task", {"index": 0}), ("task_range", {}))
        for body in ({"split": "train", **more},)
    },
}

DEFAULT = {
    **{
        f"{prefix}/{what}": body
        for prefix in ("", "/openreward")
        for what, body in (
            ("tasks", {"split": "train"}),
            ("num_tasks", {"split": "train"}),
            ("task", {"split": "train", "index": 0}),
            ("task_range", {"split": "train"}),
            ("create", {"env_name": HIDDEN, "task_spec": {"prompt": "p"}}),
        )
    },
    **{f"{prefix}/reset": {"task": {"prompt": "p"}} for prefix in ("", "/openenv")},
    "/v2/repository/index": None,
}
"""Further paths, with bodies that name a hidden recipe, or leave it to the default."""


@pytest.fixture
async def http(speak: Any, tmp_path: Path) -> AsyncIterator[Any]:
    (tmp_path / "keys.yaml").write_text(FILE)
    async with speak(more=ALIASES, pickle=True, api_keys_file=tmp_path / "keys.yaml") as found:
        yield found


@pytest.fixture
def bound(http: Any) -> Any:
    """The client with the key of one recipe."""
    http.client.headers["x-api-key"] = BOUND
    return http


def without_name(answer: httpx.Response, name: str) -> tuple[int, str]:
    """An answer, with neither the name that was asked for nor what is different each time."""
    return answer.status_code, answer.text.replace(name, "NAME")


@pytest.mark.parametrize(("method", "path", "body"), CALLS, ids=[path for _, path, _ in CALLS])
async def test_no_dialect_tells_a_hidden_recipe_from_none(
    bound: Any, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: dict[str, Any]
) -> None:
    allowed = await call(bound, method, f"/r/{NAMED}{path}", body)
    assert allowed.status_code == 200, allowed.text

    async def score_nothing(*_: object) -> None:
        raise AssertionError("a recipe that the key may not use scores")

    monkeypatch.setattr(Gateway, "_score_once", score_nothing)
    hidden = await call(bound, method, f"/r/{HIDDEN}{path}", body)
    assert hidden.status_code == (200 if path == "/axolotl/verify" else 403), hidden.text
    assert "may use only the recipes" in hidden.text
    nobody = await call(bound, method, f"/r/{NOBODY}{path}", body)
    assert without_name(hidden, HIDDEN) == without_name(nobody, NOBODY)


@pytest.mark.parametrize(("template", "asked"), NAMED_IN_PATH.items(), ids=NAMED_IN_PATH)
async def test_no_route_with_a_name_tells_a_hidden_recipe_from_none(
    bound: Any, template: str, asked: tuple[str, Any]
) -> None:
    method, body = asked
    answers = [
        await bound.client.request(method, template.replace("{name}", name), json=body)
        for name in (HIDDEN, NOBODY, "long", "pictures", "pictures@1")
    ]
    assert [answer.status_code for answer in answers] == [403] * len(answers), [answer.text for answer in answers]
    assert answers[0].text == answers[1].text


@pytest.mark.parametrize("name", [NAMED, "begins", "short", "traits:calm"])
async def test_what_the_key_names_answers_as_ever(bound: Any, name: str) -> None:
    assert (await bound.client.get(f"/v1/rewards/{name}")).status_code == 200
    await bound.ok("/v1/score", {"reward": name, "samples": [{"prompt": "p", "response": "r"}]})
    await bound.ok("/v1/score", {"model": name, "samples": [{"prompt": "p", "response": "r"}]})
    assert (await bound.client.get(f"/v2/models/{name}/ready")).status_code == 200
    await bound.ok(f"/v2/models/{name}/infer", tensors())


@pytest.mark.parametrize("path", [path for path, body in DEFAULT.items() if body is not None])
async def test_no_session_begins_with_a_hidden_recipe(bound: Any, path: str) -> None:
    answer = await bound.post(path, DEFAULT[path], headers={"X-Session-ID": "s"})
    assert answer.status_code == 403, answer.text


async def test_no_session_that_another_key_of_the_tenant_began_scores_by_a_hidden_recipe(http: Any) -> None:
    free, bound = {"x-api-key": FREE}, {"x-api-key": BOUND}
    task = {"prompt": "1 + 1?", "reference": "2"}
    await http.ok("/reset?reward=share", {"episode_id": "e", "task": task}, headers=free)
    step = {"action": {"answer": "2"}, "episode_id": "e"}
    assert (await http.post("/step", step, headers=bound)).status_code == 403
    assert (await http.ok("/step", step, headers=free))["reward"] == 1.0
    session = {"X-Session-ID": "s"}
    await http.ok("/create", {"env_name": HIDDEN, "task_spec": task}, headers=free | session)
    for path in ("/task_tools", f"/{HIDDEN}/task_tools"):
        assert (await http.client.get(path, headers=bound | session)).status_code == 403
    answer = await http.post("/call", {"name": "answer", "input": {"answer": "2"}}, headers=bound | session)
    assert "may use only the recipes" in answer.text
    assert "2.0" not in answer.text


async def test_no_websocket_opens_for_a_hidden_default(bound: Any) -> None:
    async with bound.websocket("/openenv/ws", {"x-api-key": BOUND}) as socket:
        assert socket.status == 403
        assert "may use only the recipes" in str(socket.refusal)
    async with bound.websocket(f"/r/{NAMED}/openenv/ws", {"x-api-key": BOUND}) as socket:
        assert "observation" in str(await socket.ask({"type": "reset", "data": {"task": {"prompt": "p"}}}))


@pytest.mark.parametrize(
    "naming",
    [
        {"reward": HIDDEN},
        {"reward": NOBODY},
        {"reward": "long"},
        {"model": HIDDEN},
        {"model": NOBODY},
        {"model": "best"},
        {"model": "texts"},
        {"model": "reward_model"},
        {},
    ],
    ids=str,
)
async def test_scores_and_jobs_take_no_other_name_nor_the_default(bound: Any, naming: dict[str, str]) -> None:
    for path in ("/v1/score", "/v1/jobs"):
        answer = await bound.post(path, {**naming, "samples": [{"prompt": "p", "response": "r"}]})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied"), path


async def test_an_alias_of_every_model_leads_to_no_hidden_recipe(speak: Any, tmp_path: Path) -> None:
    (tmp_path / "keys.yaml").write_text(FILE)
    body = {"model": "gpt", "samples": [{"prompt": "p", "response": "r"}]}
    for target, status in (("share", 403), (NAMED, 200)):
        more = f"model_aliases: {{'*': {target}}}\n"
        async with speak(more=more, api_keys_file=tmp_path / "keys.yaml") as http:
            answer = await http.post("/v1/score", body, headers={"x-api-key": BOUND})
            assert answer.status_code == status


async def test_a_kept_answer_is_given_to_no_key_that_may_not_use_its_recipe(http: Any) -> None:
    body = {"reward": HIDDEN, "samples": [{"prompt": "p", "response": "r", "reference": "r"}]}
    for _ in range(3):
        await http.ok("/v1/score", body, headers={"x-api-key": FREE})
    assert (await http.post("/v1/score", body, headers={"x-api-key": BOUND})).status_code == 403


async def test_no_listing_shows_what_the_key_may_not_use(bound: Any) -> None:
    shown: dict[str, str] = {}
    for path in list_without_name():
        answer = await bound.client.get(path)
        shown[path] = answer.text
        for name in UNUSUAL:
            assert name not in answer.text, f"{path} shows {name}"
    for path in (
        "/v1/rewards",
        "/v1/models",
        "/list_environments",
        "/rewards",
        "/global_config_dict_yaml",
        "/pages/rewards",
    ):
        assert NAMED in shown[path], path
    listing = (await bound.client.get("/v1/rewards")).json()
    assert ([each["name"] for each in listing["rewards"]], listing["default"]) == (["begins", NAMED], None)
    models = (await bound.client.get("/v1/models")).json()
    assert [each["id"] for each in models["data"]] == ["begins", NAMED]
    assert [each["name"] for each in models["models"]] == ["texts", "traits"]
    index = (await bound.post("/v2/repository/index", {})).json()
    assert [each["name"] for each in index] == ["begins", NAMED]
    search = await bound.client.get("/docs/guide/search-index.js")
    assert NAMED in search.text
    assert not any(f"pages/rewards/{name}" in search.text for name in UNUSUAL)


async def test_other_keys_see_and_use_all_meanwhile(http: Any) -> None:
    listings = []
    for key in (BOUND, FREE):
        http.client.headers["x-api-key"] = key
        listings.append(len((await http.client.get("/v1/rewards")).json()["rewards"]))
    assert listings[0] == 2 < listings[1]
    await http.ok("/v1/score", {"samples": [{"prompt": "p", "response": "r"}]})


def list_without_name() -> list[str]:
    """The paths of the table that are read, and name nothing."""
    found = []
    for route in found_routes(routes, dialects):
        path: str = route.path  # type: ignore[attr-defined]
        if "GET" in (getattr(route, "methods", None) or ()) and "{" not in path and path not in OPEN:
            found.append(path)
    return found


def test_every_route_is_looked_at() -> None:
    """A new route needs an example, its place among those with a name, or the reason why it names no recipe."""
    called = {path for _, path, _ in CALLS}
    named = {template.replace("versions/1", "versions/{version}") for template in NAMED_IN_PATH}
    read = {*list_without_name()}
    left = set()
    for route in found_routes(routes, dialects):
        path: str = route.path  # type: ignore[attr-defined]
        template = path.replace("{model}", "{name}").replace("{environment}", "{name}")
        if template not in named and path not in called | read | OPEN | NAMES_NO_RECIPE | BARE | OF_A_SESSION | {
            *DEFAULT
        }:
            left.add(path)
    assert left == {"/v1/jobs"}  # has a test above
