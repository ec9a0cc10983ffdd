"""The access log of a running application: one line per request, in which no text and no key stands."""

import json
import logging

import pytest
import structlog
from reward_gateway.settings import Settings
from reward_gateway.telemetry.logs import configure_logging

from tests.http.conftest import Serve

CANARY = "a-text-that-nobody-may-see"


async def test_each_request_over_http_has_one_line_without_its_texts(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    configure_logging(Settings(log_json=True))
    async with serve(access_log=1.0) as served:
        headers = {"X-Request-Id": "call-7", "X-Run": "run-3", "Authorization": f"Bearer {CANARY}"}
        body = {"samples": [{"prompt": CANARY, "response": CANARY}]}
        await served.score(body, headers=headers)
        await served.client.get(f"/{CANARY}?q={CANARY}")
        await served.client.get("/livez")
    root.handlers[:], level = before
    root.setLevel(level)
    structlog.reset_defaults()
    written = [line for line in map(json.loads, capsys.readouterr().err.splitlines()) if line["event"] == "request"]
    assert [line["route"] for line in written] == ["/v1/score", "unmatched"]
    assert (written[0]["request_id"], written[0]["run"]) == ("call-7", "run-3")
    assert CANARY not in json.dumps(written)
