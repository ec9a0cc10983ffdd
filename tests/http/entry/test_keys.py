"""Keys over HTTP: who may pass, and which paths ask nobody."""

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

OPEN = ["/livez", "/readyz", "/health", "/v2/health/live", "/v2/health/ready", "/metrics"]
LOOKALIKES = [
    "/livez/",
    "/Livez",
    "/livez/../v1/rewards",
    "/v1/livez",
    "/metrics/x",
    "/healthy",
    "/v2/health/live/x",
    "//livez",
]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.yaml"
    path.write_text(
        "keys:\n"
        "  - {name: trainer, key: trainer-key, rights: [score]}\n"
        "  - {name: slow, key: slow-key-1, rate: 2/hour}\n"
        "  - {name: keeper, key: keeper-key, rights: [state]}\n"
    )
    return path


@pytest.mark.parametrize("headers", [{"authorization": "Bearer trainer-key"}, {"x-api-key": "trainer-key"}])
async def test_a_known_key_passes_in_either_header(serve: Any, keys: Path, headers: dict[str, str]) -> None:
    async with serve(api_keys_file=keys) as served:
        assert (await served.score({"samples": []}, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/v1/rewards", "/openapi.json", "/v2", "/tei/info", "/r/plain/info", "/run/A/v1/models", "/pages"]
)
async def test_an_address_may_carry_the_key(serve: Any, keys: Path, path: str) -> None:
    async with serve(api_keys_file=keys) as served:
        for login, status in (("x:trainer-key", 200), (":trainer-key", 200), ("trainer-key:", 401), ("x:nobody", 401)):
            answer = await served.client.get(f"http://{login}@localhost:8080{path}")
            assert answer.status_code == status, login


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer nobody"}, {"authorization": "Basic trainer-key"}, {"x-api-key": ""}]
)
async def test_no_key_or_a_wrong_one_is_a_401_that_says_how(serve: Any, keys: Path, headers: dict[str, str]) -> None:
    async with serve(api_keys_file=keys) as served:
        answer = await served.score({"samples": []}, headers=headers)
        assert served.refused(answer, 401)["code"] == "unauthenticated"
        assert answer.headers["www-authenticate"] == "Bearer"
        assert await served.metric('reward_gateway_requests_unauthorized_total{reason="unauthenticated"}') == 1


@pytest.mark.parametrize(
    "path", ["/v1/rewards", "/v1/models", "/v1/catalog", "/docs", "/openapi.json", "/nowhere", *LOOKALIKES]
)
async def test_everything_but_the_open_paths_asks_for_a_key(serve: Any, keys: Path, path: str) -> None:
    async with serve(api_keys_file=keys) as served:
        served.refused(await served.client.get(path), 401)


@pytest.mark.parametrize("path", OPEN)
async def test_probes_and_scrapes_need_none(serve: Any, keys: Path, path: str) -> None:
    async with serve(api_keys_file=keys) as served:
        assert (await served.client.get(path)).status_code == 200


async def test_a_key_without_the_right_is_a_403(serve: Any, keys: Path) -> None:
    async with serve(api_keys_file=keys) as served:
        answer = await served.score({"samples": []}, headers={"x-api-key": "keeper-key"})
        assert served.refused(answer, 403)["code"] == "permission_denied"
        changing = await served.client.put("/v1/references/plain", headers={"x-api-key": "trainer-key"})
        served.refused(changing, 403)
        served.refused(await served.client.get("/v1/state", headers={"x-api-key": "trainer-key"}), 403)
        assert (await served.client.get("/v1/state", headers={"x-api-key": "keeper-key"})).status_code in (200, 503)


async def test_a_key_over_its_rate_is_a_429_with_the_time_to_wait(serve: Any, keys: Path) -> None:
    async with serve(api_keys_file=keys) as served:
        headers = {"x-api-key": "slow-key-1"}
        statuses = [(await served.score({"samples": []}, headers=headers)).status_code for _ in range(2)]
        assert statuses == [200, 200]
        answer = await served.score({"samples": []}, headers=headers)
        assert served.refused(answer, 429)["code"] == "rate_limited"
        assert 0 < int(answer.headers["retry-after"]) <= 3600
        other = await served.score({"samples": []}, headers={"x-api-key": "trainer-key"})
        assert other.status_code == 200


async def test_a_wrong_key_is_refused_before_the_body_is_looked_at(serve: Any, keys: Path) -> None:
    async with serve(api_keys_file=keys, max_body_bytes=10) as served:
        served.refused(await served.score(b"x" * 1000), 401)


async def test_where_keys_are_off_stray_tokens_are_ignored(served: Any) -> None:
    for headers in ({"authorization": "Bearer EMPTY"}, {"x-api-key": "token"}, {"authorization": "rubbish"}):
        assert (await served.score({"samples": []}, headers=headers)).status_code == 200


async def test_only_an_admin_accepts_the_loss_of_state(serve: Any, keys: Path) -> None:
    async with serve(api_keys_file=keys) as served:
        for key in ("trainer-key", "keeper-key"):
            answer = await served.client.post("/v1/state:accept-reset", headers={"x-api-key": key})
            assert served.refused(answer, 403)["code"] == "permission_denied"
