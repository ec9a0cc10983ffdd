"""``GET /metrics``: the names of the contract, closed labels, and no text that was ever scored."""

import re
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

CANARY = "CANARY-5150"


async def test_the_page_is_prometheus_text_of_our_names_and_the_runtimes(served: Any) -> None:
    await served.score({"samples": [{"response": "a"}]})
    answer = await served.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    names = set(re.findall(r"^# TYPE (\S+)", answer.text, re.MULTILINE))
    assert all(name.startswith(("reward_gateway_", "python_", "process_")) for name in names)
    assert "reward_gateway_requests_in_flight" in names
    assert "reward_gateway_request_duration_seconds" in names


async def test_requests_are_counted_by_route_and_status_not_by_path(served: Any) -> None:
    await served.score({"samples": [{"response": "a"}]})
    await served.score(b"{")
    await served.client.get(f"/{CANARY}")
    await served.client.get(f"/v1/rewards/{CANARY}")
    count = 'reward_gateway_requests_total{protocol="http",route="%s",status="%s"}'
    assert await served.metric(count % ("/v1/score", 200)) == 1
    assert await served.metric(count % ("/v1/score", 400)) == 1
    assert await served.metric(count % ("unmatched", 404)) == 1
    assert await served.metric(count % ("/v1/rewards/{name}", 404)) == 1
    assert await served.metric('reward_gateway_request_duration_seconds_count{protocol="http",route="/v1/score"}') == 2


async def test_samples_invalid_samples_and_flags_are_counted(served: Any) -> None:
    await served.score({"samples": [{"response": ""}, {"response": "a"}], "reward": "mixed"})
    await served.score({"samples": [{"response": "a"}, {}], "reward": "plain"})
    assert await served.metric('reward_gateway_samples_total{reward="mixed"}') == 2
    assert await served.metric('reward_gateway_samples_invalid_total{code="missing_field"}') == 1
    assert await served.metric('reward_gateway_sample_flags_total{guard="empty_response"}') == 1


async def test_nothing_is_in_flight_when_nothing_is_asked(served: Any) -> None:
    await served.score({"samples": []})
    assert await served.metric("reward_gateway_requests_in_flight") == 0
    assert await served.metric("reward_gateway_requests_queued") == 0


async def test_no_text_of_a_request_is_in_the_metrics_the_log_or_an_error(served: Any, capfd: Any, caplog: Any) -> None:
    sample = {
        "id": f"id {CANARY}", "prompt": CANARY, "response": CANARY, "reference": CANARY, "group": CANARY,
        "images": [CANARY], "features": {"f": 1}, "metadata": {"m": CANARY}, "steps": [{"text": CANARY}],
    }  # fmt: skip
    headers = {"authorization": f"Bearer {CANARY}"}
    served.models.failure = RuntimeError(f"a library that quotes: {CANARY}")
    texts = []
    for body in (
        {"samples": [{k: v for k, v in sample.items() if k != "images"}]},
        {"samples": [{**sample, "response": 5}]},
        {"samples": [sample], "options": {"on_invalid": "fail"}},
        {"samples": [sample], "reward": CANARY},
        {"samples": [{**sample, CANARY + "?": 1}]},
    ):
        answer = await served.score(body, headers=headers, params={"q": CANARY})
        texts.append(answer.text if answer.status_code >= 400 else "")
    texts.append((await served.client.post(f"/v1/score/{CANARY}", json={"items": [CANARY]})).text)
    texts.append((await served.client.get("/metrics")).text)
    out, err = capfd.readouterr()
    assert CANARY not in "".join(texts)
    assert CANARY not in out + err + caplog.text
