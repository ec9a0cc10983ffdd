"""Budgets and usage over HTTP: what is counted, what is refused, and who sees it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.metering.budgets import Budgets

from tests.valkey import Valkey

from .conftest import Serve, Served

pytestmark = [pytest.mark.anyio, pytest.mark.stack]

KEYS = """
keys:
  - {name: one, key: "key of one", tenant: team, budget: 20}
  - {name: two, key: "key of two", tenant: team}
  - {name: free, key: "key without budget"}
  - {name: boss, key: "key of the boss", rights: [score, admin]}
"""


@asynccontextmanager
async def metered(serve: Serve, folder: Path) -> AsyncIterator[Served]:
    (keys := folder / "keys.yaml").write_text(KEYS)
    keys.chmod(0o600)
    server = Valkey(folder)
    server.start()
    try:
        async with serve(api_keys_file=keys) as served:
            gateway = served.app.state.dependencies.gateway
            gateway.meter = replace(gateway.meter, budgets=Budgets(server.url))
            yield served
            await gateway.meter.close()
    finally:
        server.kill()


def ask(*responses: str, **more: Any) -> dict[str, Any]:
    return {"samples": [{"prompt": "p", "response": response} for response in responses], **more}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def read_usage(served: Served, key: str, query: str = "") -> dict[str, Any]:
    answer = await served.client.get(f"/v1/usage{query}", headers=bearer(key))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_tenants_keys_share_its_budget_and_a_refused_request_counts_nothing(
    serve: Serve, tmp_path: Path
) -> None:
    async with metered(serve, tmp_path) as served:
        for key in ("key of one", "key of two"):
            answer = await served.score(ask(*["a"] * 9), headers=bearer(key))
            assert answer.status_code == 200
        refused = await served.score(ask("a", "b", "c"), headers=bearer("key of two"))
        error = served.refused(refused, 429)
        assert error["code"] == "over_budget"
        assert "of which 2 are left" in error["message"]
        assert 0 < int(refused.headers["Retry-After"]) <= 86_400
        assert (await served.score(ask("a", "b"), headers=bearer("key of two"))).status_code == 200
        assert (await served.score(ask(*["a"] * 90), headers=bearer("key without budget"))).status_code == 200
        usage = await read_usage(served, "key of the boss")
        assert {row["key"]: (row["requests"], row["samples"]) for row in usage["rows"]} == {
            "one": (1, 9),
            "two": (2, 11),
            "free": (1, 90),
        }
        (budget,) = usage["budgets"]
        assert (budget["tenant"], budget["spent"], budget["left"]) == ("team", 20, 0)


async def test_a_request_that_fails_as_a_whole_counts_nothing(serve: Serve, tmp_path: Path) -> None:
    async with metered(serve, tmp_path) as served:
        bad = {"reward": "strict", "samples": [{"prompt": "p"}], "options": {"on_invalid": "fail"}}
        assert (await served.score(bad, headers=bearer("key of one"))).status_code == 422
        assert (await served.score(ask("a", "b"), headers=bearer("key of one"))).status_code == 200
        usage = await read_usage(served, "key of one")
        assert [(row["requests"], row["samples"]) for row in usage["rows"]] == [(1, 2)]
        assert [budget["spent"] for budget in usage["budgets"]] == [2]


async def test_a_key_sees_its_own_rows_only(serve: Serve, tmp_path: Path) -> None:
    async with metered(serve, tmp_path) as served:
        await served.score(ask("a"), headers=bearer("key of one"))
        assert (await read_usage(served, "key of two"))["rows"] == []
        assert (await read_usage(served, "key without budget"))["budgets"] == []


@pytest.mark.parametrize(
    ("query", "param"),
    [("?from=soon", "from"), ("?from=2026-02-02&to=2026-02-01", "from"), ("?from=2020-01-01&to=2026-01-01", "from")],
)
async def test_days_that_are_none_are_refused(serve: Serve, query: str, param: str) -> None:
    async with serve() as served:
        served.refused(await served.client.get(f"/v1/usage{query}"), 422, param)


async def test_the_metrics_count_by_key(serve: Serve, tmp_path: Path) -> None:
    async with metered(serve, tmp_path) as served:
        await served.score(ask("a", "b"), headers=bearer("key of one"))
        assert await served.metric('reward_gateway_key_samples_total{key="one",tenant="team"}') == 0
        usage = await read_usage(served, "key of one", f"?to={datetime.now(UTC).date()}")
        assert usage["rows"][0]["samples"] == 2
