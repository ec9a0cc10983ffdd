"""Who may change models, and what is said where it cannot be done."""

from pathlib import Path
from typing import Any

import pytest

from tests.http.conftest import Served, serving

pytestmark = pytest.mark.anyio

CHANGES = [
    ("POST", "/v2/repository/models/letters/load"),
    ("POST", "/v2/repository/models/letters/unload"),
    ("POST", "/v1/models/letters/rollback"),
    ("PUT", "/v1/models/letters/head"),
    ("POST", "/v1/models/letters/head"),
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_a_key_that_may_only_score_changes_no_model(method: str, path: str, tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text(
        "keys:\n- {name: trainer, key: trainer-key, rights: [score, state]}\n"
        "- {name: operator, key: operator-key, rights: [admin]}\n"
    )
    async with serving(api_keys_file=keys) as served:
        statuses = {}
        for key in ("trainer-key", "operator-key", ""):
            headers = {"authorization": f"Bearer {key}"} if key else {}
            statuses[key] = (await served.client.request(method, path, headers=headers)).status_code
    assert statuses["trainer-key"] == 403
    assert statuses[""] == 401
    assert statuses["operator-key"] in (404, 409), "allowed, and then there is no repository with this model"


async def test_a_model_is_shown_with_its_version_as_its_tag(served: Served) -> None:
    answer = await served.client.get("/v1/models/letters")
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"1"'
    assert answer.json()["card"] == {"accuracy": 0.7}
    Served.refused(await served.client.get("/v1/models/none"), 404)


async def test_a_model_server_that_cannot_be_told_says_so(served: Served) -> None:
    answer = await served.client.post("/v2/repository/models/letters/load")
    assert answer.status_code == 409
    assert "does not support loading" in answer.json()["error"]


@pytest.mark.parametrize("name", ["..", ".hidden", "a%0Ab", "x" * 200])
async def test_names_that_are_none_reach_no_server_and_no_disk(served: Served, name: str) -> None:
    for path in (f"/v2/repository/models/{name}/load", f"/v1/models/{name}/rollback"):
        assert (await served.client.post(path)).status_code in (404, 405)


async def test_files_and_configurations_are_not_taken_in_the_place_of_the_repositorys(served: Served) -> None:
    for given in ({"config": "{}"}, {"file:1/model.py": "aW1wb3J0IG9z"}):
        answer = await served.client.post("/v2/repository/models/letters/load", json={"parameters": given})
        assert answer.status_code == 422, answer.text


async def test_a_head_over_its_limit_is_refused() -> None:
    async with serving(max_head_bytes=10) as served:
        put: Any = served.client.put
        assert (await put("/v1/models/letters/head", content=b"x" * 10)).status_code == 404
        Served.refused(await put("/v1/models/letters/head", content=b"x" * 11), 413)
