"""The text models on the real Triton answer as they do in this process, whatever they are batched with."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as client
from reward_models.build import REPOSITORY
from reward_models.build import card as cards
from reward_models.runtime.rows import Answer
from reward_models.train.data import probes

pytestmark = pytest.mark.stack

Ask = Callable[..., Answer]


def infer(address: str, model: str, **columns: list[str]) -> tuple[Any, Any, Any]:
    tensors = []
    for name, values in columns.items():
        tensor = client.InferInput(name, [len(values), 1], "BYTES")
        tensor.set_data_from_numpy(np.array([value.encode() for value in values], np.object_).reshape(-1, 1))
        tensors.append(tensor)
    with client.InferenceServerClient(address) as server:
        result = server.infer(model, tensors)
    return result.as_numpy("score"), result.as_numpy("flags"), result.as_numpy("error")


def test_triton_scores_as_the_scorer_does(stack: Any, model: str, ask: Ask) -> None:
    pairs = probes("benign")[:12]
    prompts, responses = [pair.prompt for pair in pairs], [pair.better for pair in pairs]
    together, flags, errors = infer(stack.triton, model, prompt=prompts, response=responses)
    np.testing.assert_allclose(together, ask(model, prompts, responses).scores, atol=1e-5, rtol=0)
    assert not flags.any()
    assert not any(errors.reshape(-1))


def test_a_row_that_cannot_be_read_does_not_fail_its_neighbours(stack: Any, model: str) -> None:
    broken = json.dumps([{"role": "user", "content": "Why?"}])
    scores, flags, errors = infer(
        stack.triton, model, prompt=["Why?", ""], response=["word " * 600, ""], messages=["", broken]
    )
    assert np.isfinite(scores[0]).all()
    assert flags[0] == 1
    assert np.isnan(scores[1]).all()
    assert errors[1, 0].startswith(b"invalid_field: ")


def test_triton_tells_the_version_of_the_card(stack: Any, model: str) -> None:
    with client.InferenceServerClient(stack.triton) as server:
        said = server.get_model_config(model).config.parameters
    assert said["content_version"].string_value == cards.read(REPOSITORY / model).version
