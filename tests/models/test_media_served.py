"""The media models on the real Triton: images and titles in, scores out, a bad row alone in its error."""

from typing import Any

import msgpack
import numpy as np
import pytest
import tritonclient.grpc as client
from reward_models.evaluate.rendering import draw_text

pytestmark = pytest.mark.stack


def infer(address: str, model: str, **columns: list[bytes]) -> tuple[list[float], list[bytes]]:
    tensors = []
    for name, values in columns.items():
        tensor = client.InferInput(name, [len(values), 1], "BYTES")
        tensor.set_data_from_numpy(np.array(values, np.object_).reshape(-1, 1))
        tensors.append(tensor)
    with client.InferenceServerClient(address) as server:
        result = server.infer(model, tensors)
    return result.as_numpy("score")[:, 0].tolist(), result.as_numpy("error")[:, 0].tolist()


def test_drawn_text_is_read_through_triton(stack: Any) -> None:
    images = [msgpack.packb([image]) for image in (draw_text("OPEN DAILY"), draw_text(""), b"broken")]
    scores, errors = infer(stack.triton, "text_rendering", prompt=[b'A sign "OPEN DAILY"'] * 3, images=images)
    assert scores[:2] == [1, 0]
    assert [error.partition(b":")[0] for error in errors] == [b"", b"", b"invalid_media"]


def test_an_image_of_a_sign_is_nearer_to_a_sign_than_to_a_dog(stack: Any) -> None:
    image = msgpack.packb([draw_text("STOP", 90, 0, "white", "darkred")])
    prompts = [b"a street sign", b"a dog", b""]
    scores, errors = infer(stack.triton, "image_text_alignment", prompt=prompts, images=[image] * 3)
    assert scores[0] > scores[1]
    assert errors[2].startswith(b"missing_field: ")


def test_titles_are_scored_with_and_without_features(stack: Any) -> None:
    titles, features = [b"Show HN: A tiny database"] * 2, [b"", b'{"hour": 99}']
    scores, errors = infer(stack.triton, "social_popularity", response=titles, features=features)
    assert 0 < scores[0] < 6
    assert errors[1].startswith(b"invalid_field: ")
