"""The Operations page: the numbers of the metrics, for admins alone, without a text."""

import os
import re

import msgspec
import pytest
from reward_gateway.console.pages.operations import is_failure
from reward_gateway.console.processes_view import look_at, render_pods, render_processes
from reward_gateway.traffic.process_board import Health

from tests.console.conftest import Pages
from tests.console.test_console import BROWSER
from tests.console.test_login import log_in

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("status", "failed"),
    [("200", False), ("OK", False), ("303", False), ("404", True), ("503", True), ("UNAVAILABLE", True)],
)
def test_failures_are_told_from_answers(status: str, failed: bool) -> None:
    assert is_failure(status) is failed


async def test_refusals_are_counted_by_code_without_their_text(pages: Pages) -> None:
    pages.telemetry.metrics.admission_rejected("queue_full")
    secret = "of which nobody must hear"
    async with pages.client() as client:
        answer = await client.post("/v1/score", json={"samples": [{"prompt": 5, "response": secret}]})
        assert answer.status_code == 422
        page = (await client.get("/console/operations", headers=BROWSER)).text
        part = (await client.get("/console/operations/state")).text
    for html in (page, part):
        assert "<td><code>queue_full</code></td><td>1</td>" in html
        assert "<td><code>422</code></td><td>1</td>" in html
        assert secret not in html


async def test_the_last_refusals_are_listed_with_code_path_and_key(guarded: Pages) -> None:
    secret = "of which nobody must hear"
    async with guarded.client() as client:
        body = {"samples": [{"prompt": 5, "response": secret}]}
        await client.post("/v1/score", json=body)
        await client.post("/v1/score", json=body, headers={"x-api-key": "key-of-researcher"})
        await client.get(f"/nothing/{secret}", headers={"x-api-key": "key-of-researcher"})
        await log_in(client, "key-of-operator")
        page = (await client.get("/console/operations")).text
    section = page.partition("<h2>Last refusals</h2>")[2].partition("</section>")[0]
    rows = [re.findall(r"<td>(?:<code>)?([^<]*)", row) for row in re.findall(r"<tr>(.*?)</tr>", section)]
    assert [row[1:] for row in rows if row] == [
        ["not_found", "unmatched", "http", "researcher"],
        ["invalid_request", "/v1/score", "http", "researcher"],
        ["unauthenticated", "/v1/score", "http", "–"],
    ]
    assert secret not in page
    assert "of one process" in section


async def test_the_processes_that_are_alive_are_listed(pages: Pages) -> None:
    async with pages.client() as client:
        page = (await client.get("/console/operations")).text
        assert f"<td>{os.getpid()}</td>" in page
        pages.traffic.drain.begin()
    seen = await look_at(pages.traffic.board)
    assert "shutting down" in render_processes(seen)
    assert render_pods(seen.processes) is None
    health = Health(ready=True, missing=["a", "b", "c", "d"], devices={"letters": "GPU 0", "others": "GPU 0"})
    other = msgspec.structs.replace(seen.processes[0], pod="other", draining=False, health=health)
    pods = render_pods([*seen.processes, other])
    assert pods is not None
    assert "degraded" in pods
    assert "without a, b, c and 1 more" in pods
    assert "GPU 0: 2" in pods


async def test_the_page_is_for_admins(guarded: Pages) -> None:
    async with guarded.client() as client:
        token = (await client.get("/console/login")).text.partition('name="csrf" value="')[2].partition('"')[0]
        await client.post("/console/login", data={"csrf": token, "key": "key-of-researcher"})
        for path in ("/console/operations", "/console/operations/state"):
            assert (await client.get(path)).status_code == 403
