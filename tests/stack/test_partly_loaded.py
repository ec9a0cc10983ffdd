"""A stack whose models do not serve the default recipe starts, says so, and answers with what it has."""

from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.conftest import start_stack, stop_stack

pytestmark = pytest.mark.stack


def test_it_starts_without_the_default_recipe_and_says_so(tmp_path: Path) -> None:
    stack = start_stack(tmp_path / "serve.log", "--models", "text_harmless", "--state-dir", str(tmp_path))
    try:
        said = stack.log.read_text()
        assert "Started, not ready." in said
        assert "the default recipe helpful_harmless cannot answer: The model 'text_preference' is not ready" in said

        ready = httpx.get(f"{stack.http}/readyz", timeout=60)
        assert ready.status_code == 503
        assert {"helpful", "helpful_harmless", "roboreward"} <= set(ready.json()["not_ready"])
        assert {"harmless", "brevity"}.isdisjoint(ready.json()["not_ready"])
        awaited = {"skywork": "skywork_v2", "prm_steps": "prm", "reranker": "cross_encoder", "guard": "safety_guard"}
        for recipe, model in awaited.items():
            assert f"'{model}'" in ready.json()["not_ready"][recipe], "the model to bring is named"
        assert httpx.get(f"{stack.http}/readyz?reward=harmless", timeout=60).status_code == 200

        with grpc.insecure_channel(stack.grpc) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            states = [health.Check(health_pb2.HealthCheckRequest(service=name)).status for name in ("", "harmless")]
        assert states == [health_pb2.HealthCheckResponse.NOT_SERVING, health_pb2.HealthCheckResponse.SERVING]

        sample = {"prompt": "How do I boil an egg?", "response": "In boiling water."}
        answer = httpx.post(f"{stack.http}/v1/score", json={"reward": "harmless", "samples": [sample]}, timeout=60)
        assert answer.json()["results"][0]["valid"]

        answer = httpx.post(f"{stack.http}/v1/score", json={"reward": "skywork", "samples": [sample]}, timeout=60)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
    finally:
        stop_stack(stack)
