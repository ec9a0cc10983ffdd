"""The Open Inference Protocol over the whole stack: the service's own scores, and Triton's own answers."""

from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http

if TYPE_CHECKING:
    from tests.conftest import Stack

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ROWS = [
    ("How do I boil an egg?", "Put it in boiling water for 8 minutes, then in cold water."),
    ("How do I boil an egg?", "No."),
    ("", "A response without a prompt."),
    ("Grüße auf Deutsch?", "Guten Tag! " * 60),
]


def columns(client: Any) -> list[Any]:
    tensors = []
    for k, name in enumerate(("prompt", "response")):
        tensor = client.InferInput(name, [len(ROWS), 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[row[k].encode()] for row in ROWS], np.object_))
        tensors.append(tensor)
    return tensors


@pytest.mark.parametrize("recipe", ["helpful", "harmless", "helpful_harmless", "brevity"])
def test_recipes_score_as_the_service_does(stack: "Stack", recipe: str) -> None:
    body = {"reward": recipe, "samples": [{"prompt": prompt, "response": response} for prompt, response in ROWS]}
    native = [row["reward"] for row in httpx.post(f"{stack.http}/v1/score", json=body, timeout=120).json()["results"]]
    for module, address in ((over_http, stack.http.removeprefix("http://")), (over_grpc, stack.grpc)):
        with module.InferenceServerClient(address) as client:
            assert client.is_model_ready(recipe)
            answer = client.infer(recipe, columns(module))
            assert answer.as_numpy("valid").all()
            assert answer.as_numpy("reward").ravel().tolist() == pytest.approx(native, rel=1e-6, abs=1e-6)


def test_tritons_models_answer_as_when_they_are_asked_directly(stack: "Stack") -> None:
    with over_grpc.InferenceServerClient(stack.triton) as triton:
        direct = triton.infer("text_preference", columns(over_grpc), request_id="7")
        config = triton.get_model_config("text_preference").config
        metadata = triton.get_model_metadata("text_preference", as_json=True)
    with over_grpc.InferenceServerClient(stack.grpc) as gateway:
        through = gateway.infer("text_preference", columns(over_grpc), request_id="7")
        assert through.get_response() == direct.get_response()
        assert gateway.get_model_config("text_preference").config == config
        assert gateway.get_model_metadata("text_preference", as_json=True) == metadata
        with pytest.raises(over_grpc.InferenceServerException, match="INVALID_ARGUMENT"):
            gateway.infer("text_preference", columns(over_grpc)[:1])
    with over_http.InferenceServerClient(stack.http.removeprefix("http://")) as gateway:
        through = gateway.infer("text_preference", columns(over_http), request_id="7")
        for output in direct.get_response().outputs:
            np.testing.assert_array_equal(through.as_numpy(output.name), direct.as_numpy(output.name))
        assert gateway.get_model_config("text_preference")["max_batch_size"] == config.max_batch_size
        assert gateway.is_model_ready("text_preference")
        states = {row["name"]: row["state"] for row in gateway.get_model_repository_index()}
        assert states["text_preference"] == states["helpful_harmless"] == states["reward_model"] == "READY"
