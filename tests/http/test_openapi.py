"""The OpenAPI page: it loads, it shows examples that work, and the service does what it says."""

import json
import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from reward_gateway.errors import GatewayError, error_table
from reward_gateway.settings import Settings
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from tests.http.conftest import build

pytestmark = pytest.mark.anyio

BOUNDED = settings(
    max_examples=6,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
PATIENT_S = 240.0
"""No machine is too slow for it: schemathesis gives up after ten seconds."""

SHARES = 16
"""Tests among which the operations are shared, so that none of them takes minutes."""

schemathesis.serializer.alias("application/msgpack", "application/octet-stream")

CONFORMS = [content_type_conformance, response_schema_conformance]
PATHS = """
/v1/score /v1/{kind}/{name} /v1/catalog /v1/rewards /v1/rewards/{name} /v1/rewards:validate /v1/models /v1/monitor
/livez /readyz /health /v2/health/live /v2/health/ready /metrics
"""


async def page(served: Any) -> dict[str, Any]:
    answer = await served.client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()  # type: ignore[no-any-return]


async def test_every_public_path_is_on_the_page_with_a_summary(served: Any) -> None:
    paths = (await page(served))["paths"]
    assert set(PATHS.split()) <= set(paths)
    assert all(operation["summary"] for path in paths.values() for operation in path.values())


async def test_the_schemas_are_those_of_the_wire(served: Any) -> None:
    schemas = (await page(served))["components"]["schemas"]
    assert {"ScoreRequest", "SampleItem", "Options", "ScoreResponse", "SampleResult", "ErrorResponse"} <= set(schemas)
    assert schemas["SampleItem"]["additionalProperties"] is False
    assert set(schemas["SampleResult"]["required"]) == {
        "id",
        "reward",
        "rewards",
        "valid",
        "components",
        "flags",
        "error",
    }


async def test_every_reference_has_something_to_refer_to(served: Any) -> None:
    document = await page(served)
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/')[1:]}:
        held: Any = document
        for key in reference.split("/"):
            held = held[key]
        assert held


async def test_the_whole_error_table_is_on_the_page(served: Any) -> None:
    described = (await page(served))["info"]["description"]
    kinds: list[type[GatewayError]] = error_table()
    assert len(kinds) >= 15
    for error in kinds:
        assert f"| {error.status} | `{error.code}` | {error.grpc_status} |" in described


async def test_every_path_that_counts_a_repeat_once_names_its_header(served: Any) -> None:
    paths = (await page(served))["paths"]
    counted = {"/v1/score", "/v1/{kind}/{name}", "/v1/programs", "/v1/references/{name}", "/get_reward", "/score"}
    counted.add("/v1/calibrations/{name}")
    for path in counted | {"/v2/models/{model}/infer"}:
        (operation,) = (paths[path][method] for method in ("post", "put") if method in paths[path])
        assert "Idempotency-Key" in {parameter["name"] for parameter in operation.get("parameters", ())}, path


async def test_the_examples_can_be_sent_as_they_are(served: Any) -> None:
    paths = (await page(served))["paths"]
    body = paths["/v1/score"]["post"]["requestBody"]["content"]["application/json"]["example"]
    result = (await served.score(body)).json()["results"][0]
    assert result["valid"] is True


async def test_the_page_for_people_loads_nothing_from_elsewhere(served: Any) -> None:
    html = (await served.client.get("/docs")).text
    assert "://" not in html
    loaded = re.findall(r"""(?:src|href|url)(?:=|: )["']([^"']+)["']""", html)
    assert len(loaded) == 4
    for address in loaded:
        answer = await served.client.get(f"/{address.removeprefix('./')}")
        assert answer.status_code == 200, address
        assert len(answer.content) > 500
    missing = await served.client.get("/docs/nothing.js")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")


@pytest.fixture(scope="module")
def operations() -> list[Any]:
    """Every operation of the page, of a service that answers."""
    app = build(Settings(allowed_hosts=("testserver",)))[0]  # what schemathesis calls it
    page = schemathesis.openapi.from_asgi("/openapi.json", app, timeout=PATIENT_S)
    results: list[Any] = list(page.get_all_operations())
    found = [result.ok() for result in results]
    assert len(found) >= 13
    return found


@pytest.mark.parametrize("share", range(SHARES))
def test_the_service_does_what_the_page_says(operations: list[Any], share: int) -> None:
    """Requests made from the schemas, good and bad: no fault of ours, no answer that the page does not name."""
    for operation in operations[share::SHARES]:
        try:
            attack(operation)
        except BaseException as fault:
            fault.add_note(operation.label)
            raise


def attack(operation: Any) -> None:
    @BOUNDED
    @given(case=operation.as_strategy())
    def sent(case: Any) -> None:
        answer = case.call(timeout=PATIENT_S)
        assert answer.status_code not in (500, 501, 502), answer.text
        assert str(answer.status_code) in operation.definition.raw["responses"], answer.text
        case.validate_response(answer, checks=CONFORMS)

    sent()
