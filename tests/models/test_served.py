"""The text models on the real Triton answer as they do in this process, whatever they are batched with."""

import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as client
from reward_models.repository import REPOSITORY
from reward_models.repository import card as cards
from reward_models.runtime.rows import Answer
from reward_models.train.data import load_probes

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
    pairs = load_probes("benign")[:12]
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
    assert said["content_version"].string_value == cards.read_card(REPOSITORY / model).version


def test_calls_one_after_another_do_not_wait_for_a_lost_wake_up(stack: Any, model: str) -> None:
    took = []
    for _ in range(100):
        started = time.monotonic()
        infer(stack.triton, model, prompt=["Why?"], response=["Because."])
        took.append(time.monotonic() - started)
    # One call in ten waited for half a second, on a machine that had nothing else to do.
    assert sum(seconds > max(0.4, 5 * median(took)) for seconds in took) <= 5


def heavy(call: str) -> list[Any]:
    """Eight long rows that no other call has: a second of work or so."""
    rows = [" ".join([call, str(row), *(f"word{index % 97}" for index in range(400))]) for row in range(8)]
    tensors = [client.InferInput(name, [len(rows), 1], "BYTES") for name in ("prompt", "response")]
    for tensor in tensors:
        tensor.set_data_from_numpy(np.array([[row.encode()] for row in rows], np.object_))
    return tensors


def test_work_whose_caller_has_gone_is_not_done(stack: Any, model: str) -> None:
    with client.InferenceServerClient(stack.triton) as server:
        for attempt in range(3):  # again where the machine had other things to do, so that they had begun
            started = time.monotonic()
            server.infer(model, heavy(f"{attempt} alone"))
            alone = time.monotonic() - started
            started = time.monotonic()
            for call in range(24):
                rows = heavy(f"{attempt} {call}")
                server.async_infer(model, rows, callback=lambda result, error: None, client_timeout=alone / 4)
                if call == 0:
                    time.sleep(alone / 8)  # it has begun alone; the others wait behind it
            infer(stack.triton, model, prompt=["Why?"], response=["Because."])
            # What had begun is finished; of what waited behind it nothing is begun, so that a new call comes soon.
            took = time.monotonic() - started
            if took < 8 * alone:
                break
        assert took < 8 * alone
