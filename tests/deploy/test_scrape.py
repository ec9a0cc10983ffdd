"""A real Prometheus scrapes the gateway: every metric arrives, with the traces of requests as exemplars."""

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from reward_gateway.telemetry.telemetry import Telemetry
from reward_gateway.telemetry.traces import Tracer

from tests.deploy.test_dashboard import FILE, queries
from tests.http.conftest import serving
from tests.http.listening import listening
from tests.test_observer import tell_everything

PROMETHEUS = shutil.which("prometheus")
pytestmark = pytest.mark.skipif(PROMETHEUS is None, reason="needs prometheus (Debian's package of that name)")
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def traced() -> Telemetry:
    """Telemetry whose traces go nowhere."""
    trace = pytest.importorskip("opentelemetry.sdk.trace", reason="needs the extra tracing")
    return Telemetry(tracer=Tracer(trace.TracerProvider()))


async def prometheus(target: int, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A Prometheus that scrapes a port of this machine four times a second, as the client of its API."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    scrape = {"job_name": "gateway", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
    config = {"global": {"scrape_interval": "250ms", "scrape_timeout": "250ms"}, "scrape_configs": [scrape]}
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    assert PROMETHEUS is not None
    process = await asyncio.create_subprocess_exec(
        PROMETHEUS,
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1") as client:
            yield client
    finally:
        process.kill()
        await process.wait()


async def ask_until(client: httpx.AsyncClient, path: str, **params: str) -> Any:
    """The answer to a query once it is not empty."""
    for _ in range(200):
        try:
            data = (await client.get(path, params=params)).json().get("data")
            if found := data.get("result") if isinstance(data, dict) else data:
                return found
        except (httpx.TransportError, json.JSONDecodeError):
            pass  # it is starting
        await asyncio.sleep(0.1)
    pytest.fail(f"{path} {params} stays empty")


async def test_every_metric_and_every_query_arrives_with_exemplars(traced: Telemetry, tmp_path: Path) -> None:
    async with serving(traced) as served, listening(served) as running:
        tell_everything(traced.metrics)
        parent = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        answer = await served.score({"samples": [{"response": "four"}]}, headers=parent)
        assert answer.status_code in (200, 422)
        async for client in prometheus(running.port, tmp_path):
            (up,) = await ask_until(client, "/query", query="up == 1")
            assert up["metric"]["job"] == "gateway"
            names = set(await ask_until(client, "/label/__name__/values"))
            page = (await served.client.get("/metrics")).text
            ours = {line.split("{")[0].split(" ")[0] for line in page.splitlines() if line.startswith("reward_gateway")}
            assert ours - names == set()
            found = await ask_until(
                client, "/query_exemplars", query="reward_gateway_request_duration_seconds_bucket", start="0", end="9e9"
            )
            assert TRACE in {one["labels"]["trace_id"] for series in found for one in series["exemplars"]}
            for query in queries(json.loads(FILE.read_text())):
                if not query.startswith("label_values"):
                    asked = query.replace("$__rate_interval", "1m").replace("$", ".*")
                    verdict = (await client.get("/query", params={"query": asked})).json()
                    assert verdict["status"] == "success", (query, verdict)
