"""``POST /v1/{kind}/{name}``: single operations, and the catalogue that lists them."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio

AFFINE = "/v1/transform/affine"


async def test_an_operation_answers_item_by_item(served: Any) -> None:
    body = {"items": [{"reward": 1.0}, {"reward": 3.0}], "params": {"scale": 2.0, "shift": 1.0}}
    answer = await served.client.post(AFFINE, json=body)
    assert answer.status_code == 200
    assert [result["reward"] for result in answer.json()["results"]] == [3.0, 7.0]


async def test_no_items_is_a_request_without_results(served: Any) -> None:
    assert (await served.client.post(AFFINE, json={"items": []})).json() == {"results": []}


@pytest.mark.parametrize("path", ["/v1/transform/nothing", "/v1/score/nothing", "/v1/audit/affine"])
async def test_an_unknown_operation_is_not_found(served: Any, path: str) -> None:
    assert served.refused(await served.client.post(path, json={"items": []}), 404)["code"] == "not_found"


async def test_an_unknown_kind_is_no_path(served: Any) -> None:
    served.refused(await served.client.post("/v1/guess/affine", json={"items": []}), 404)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "items"),
        ({"items": {}}, "items"),
        ({"items": [], "params": []}, "params"),
        ({"items": [], "parms": {}}, "parms"),
        ({"items": [], "params": {"colour": 1}}, "params.colour"),
        ({"items": [{"reward": "x"}]}, "items[0].reward"),
    ],
)
async def test_another_shape_is_a_422_with_the_path(served: Any, body: Any, param: str) -> None:
    served.refused(await served.client.post(AFFINE, json=body), 422, param)


@pytest.mark.parametrize("body", [b"", b"{", b'{"items": [NaN]}', b'{"items": ["\xff"]}'])
async def test_a_body_that_is_no_json_is_a_400(served: Any, body: bytes) -> None:
    served.refused(await served.client.post(AFFINE, content=body), 400)


async def test_64_levels_pass_and_65_do_not(served: Any) -> None:
    def nested(levels: int) -> bytes:
        return b'{"items": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"

    deepest = served.refused(await served.client.post(AFFINE, content=nested(64)), 422, "items[0]")
    assert "nested" not in deepest["message"]
    assert "nested" in served.refused(await served.client.post(AFFINE, content=nested(65)), 422)["message"]


async def test_brackets_inside_strings_do_not_count_as_nesting(served: Any) -> None:
    items = [{"response": '[{"\\"' * 100, "prompt": ""}]
    answer = await served.client.post("/v1/score/length_penalty", json={"items": items, "params": {}})
    assert answer.status_code == 200 or answer.json()["error"]["param"] == "items[0].prompt"


async def test_items_and_texts_have_the_limits_of_samples(serve: Any) -> None:
    async with serve(max_samples=2, max_text_chars=50) as served:
        two = {"items": [{"reward": 1.0}] * 2}
        assert (await served.client.post(AFFINE, json=two)).status_code == 200
        served.refused(await served.client.post(AFFINE, json={"items": [{"reward": 1.0}] * 3}), 413, "items")
        long = {"items": [{"reward": 1.0}, {"response": "x" * 51}]}
        served.refused(await served.client.post("/v1/score/length_penalty", json=long), 413, "items[1].response")


async def test_the_catalogue_lists_every_operation_with_its_source(served: Any) -> None:
    operations = (await served.client.get("/v1/catalog")).json()["operations"]
    keys = {
        "kind",
        "name",
        "summary",
        "params_schema",
        "item_schema",
        "returns",
        "source",
        "fidelity",
        "stateful",
        "grouped",
    }
    assert operations
    for entry in operations:
        assert keys <= set(entry)
        assert set(entry["source"]) == {"title", "url"}
        assert entry["fidelity"] in ("verified", "second-hand", "recalled", "design")
    assert ("transform", "affine") in {(entry["kind"], entry["name"]) for entry in operations}
