"""The recipes that are loaded, the check of one that is not, and the models behind them."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio

VALIDATE = "/v1/rewards:validate"
GOOD = "rewards:\n  one:\n    components:\n      quality: {score: letters}\n"
BAD = "rewards:\n  one:\n    components:\n      quality: {score: letters, transforms: [{no_such: {}}]}\n"


async def test_the_listing_has_the_keys_of_the_contract(served: Any) -> None:
    body = (await served.client.get("/v1/rewards")).json()
    assert set(body) == {"rewards", "default"}
    assert body["default"] == "plain"
    assert [entry["name"] for entry in body["rewards"]] == ["plain", "mixed", "strict", "looks"]
    keys = {"name", "description", "version", "inputs", "range", "components", "grouped", "stateful", "returns"}
    assert all(keys <= set(entry) for entry in body["rewards"])


async def test_one_recipe_shows_its_plan_and_the_version_of_its_answers(served: Any) -> None:
    shown = (await served.client.get("/v1/rewards/mixed")).json()
    assert shown["name"] == "mixed"
    answer = (await served.score({"samples": [], "reward": "mixed"})).json()
    assert answer["recipe_version"] == shown["version"]


async def test_an_unknown_recipe_is_not_found(served: Any) -> None:
    answer = await served.client.get("/v1/rewards/nobody")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("kind", ["application/yaml", "text/yaml", "text/plain; charset=utf-8"])
async def test_a_recipe_file_is_checked_as_yaml(served: Any, kind: str) -> None:
    good = await served.client.post(VALIDATE, content=GOOD, headers={"content-type": kind})
    assert (good.status_code, good.json()["valid"], good.json()["faults"]) == (200, True, [])
    bad = (await served.client.post(VALIDATE, content=BAD, headers={"content-type": kind})).json()
    assert bad["valid"] is False
    assert bad["faults"]


async def test_a_recipe_file_is_checked_as_json(served: Any) -> None:
    body = {"rewards": {"one": {"components": {"quality": {"score": "letters"}}}}}
    assert (await served.client.post(VALIDATE, json=body)).json()["valid"] is True


async def test_checking_changes_nothing(served: Any) -> None:
    await served.client.post(VALIDATE, content=GOOD, headers={"content-type": "application/yaml"})
    assert (await served.client.get("/v1/rewards/one")).status_code == 404


async def test_what_is_no_recipe_file_is_refused_like_any_body(served: Any) -> None:
    served.refused(await served.client.post(VALIDATE, content=b"{", headers={"content-type": "application/json"}), 400)
    served.refused(await served.client.post(VALIDATE, content=b"\xff", headers={"content-type": "text/yaml"}), 400)
    served.refused(await served.client.post(VALIDATE, content=GOOD, headers={"content-type": "text/html"}), 415)


HOSTILE = ("rewards: " + "9" * 5000, "a: " + "[" * 100_000, "rewards: 2001-13-45", "- " * 3000 + "a")


@pytest.mark.parametrize("text", ["", "[]", "a: [", "rewards: 5", "&a [*a]", "a: &a [1]\nb: *a\n", *HOSTILE])
async def test_yaml_that_is_no_recipe_file_has_faults_and_is_no_failure(served: Any, text: str) -> None:
    answer = await served.client.post(VALIDATE, content=text, headers={"content-type": "application/yaml"})
    assert answer.status_code == 200
    assert answer.json()["valid"] is False


async def test_models_are_openais_list_of_recipes_beside_the_models(served: Any) -> None:
    body = (await served.client.get("/v1/models")).json()
    assert body["object"] == "list"
    assert [entry["id"] for entry in body["data"]] == ["plain", "mixed", "strict", "looks"]
    assert all(entry["object"] == "model" for entry in body["data"])
    first = body["models"][0]
    assert set(first) >= {"name", "version", "versions", "ready", "inputs", "dimensions", "card"}
    assert first["card"] == {"accuracy": 0.7}


async def test_a_model_that_the_repository_merely_holds_is_not_listed(served: Any) -> None:
    served.models.held = True
    names = [model["name"] for model in (await served.client.get("/v1/models")).json()["models"]]
    assert names
    assert "held" not in names


async def test_recipes_are_listed_when_the_model_server_is_away(served: Any) -> None:
    served.models.away = True
    body = (await served.client.get("/v1/models")).json()
    assert len(body["data"]) == 4
    assert body["models"] == []
