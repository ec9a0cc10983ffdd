"""``reward-gateway usage`` and the client's get_usage()."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
from reward_gateway.client import RewardClient

from .conftest import Run


def test_usage_is_shown_as_lines_csv_and_json(run: Run, service: Any) -> None:
    httpx.post(f"{service.url}/v1/score", json={"samples": [{"prompt": "p", "response": "r"}]}, timeout=30)
    lines = run("usage", "--url", service.url)
    assert lines.code == 0
    assert "anonymous" in lines.out
    table = run("usage", "--url", service.url, "--csv").out.splitlines()
    assert table[0] == "day,tenant,key,requests,samples,invalid,cache_hits,model_calls"
    report = json.loads(run("usage", "--url", service.url, "--json").out)
    with RewardClient(service.url) as client:
        assert client.get_usage() == report
        day = datetime.now(UTC).date()
        assert client.get_usage(day, day) == report


def test_days_that_are_none_are_refused_before_anything_is_asked(run: Run) -> None:
    refused = run("usage", "--from", "soon", "--url", "http://127.0.0.1:1")
    assert refused.code == 2
    assert "--from must be a day" in refused.err
