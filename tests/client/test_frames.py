"""Pictures in arrays: what is certain is converted, and anything else says what came, before anything is sent."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.client.adapters import lerobot
from reward_gateway.client.adapters.rows import convert_image
from reward_gateway.client.frames import to_bytes

from tests.client.conftest import Service

FRAMES = np.random.default_rng(0).integers(0, 255, (2, 3, 8, 8), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16", "int32", "int64", "float16", "float32", "float64"])
def test_whole_numbers_of_any_type_are_the_bytes(kind: str) -> None:
    assert to_bytes(FRAMES.astype(kind), "camera").tolist() == FRAMES.tolist()


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_in_0_to_1_are_shares_of_255(kind: Any) -> None:
    assert to_bytes((FRAMES / 255.0).astype(kind), "camera").tolist() == FRAMES.tolist()
    assert to_bytes(np.array([0.0, 0.5, 1.0000001], kind), "camera").tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        ((FRAMES / 255.0 - 0.45) / 0.225, "float64 from -2 to 2"),
        (FRAMES + 0.5, "float64 from 0.5 to 254.5 that are no whole numbers"),
        (FRAMES.astype(np.float32) * 2, "float32 from 0 to 508"),
        (FRAMES.astype(np.int64) + 1000, "int64 from 1000 to 1254"),
        (FRAMES.astype(np.int16) - 5, "int16 from -5 to 249"),
        (np.full((1, 3, 8, 8), np.nan, np.float32), "float32 with NaN"),
        (np.where(FRAMES[0, 0, 0, 0] == FRAMES, np.nan, 0.5), "float64 with NaN"),
        (np.full((1, 3, 8, 8), np.inf), "float64 with NaN or infinite"),
        (FRAMES > 100, "bool"),
        (FRAMES.astype(np.complex64), "complex64"),
        (np.full((1, 3, 8, 8), "a"), "<U1"),
    ],
)
def test_anything_else_says_what_came_and_sends_nothing(service: Service, frames: Any, told: str) -> None:
    model = lerobot.RewardGatewayRewardModel("brief", service.url)
    for ask in (model.compute_reward, model.predict_reward):
        with pytest.raises(ValueError, match=r"observation\.image: expected uint8.*") as caught:
            ask({"observation.image": frames, "task": ["lift"]})
        assert told in str(caught.value)
    assert not service.requests


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 8, 8, 3), (1, 2, 4, 8, 8), (2, 7)])
def test_frames_of_another_shape_say_theirs(shape: tuple[int, ...]) -> None:
    model = lerobot.RewardGatewayRewardModel("brief", "http://127.0.0.1:1")
    with pytest.raises(ValueError, match=", ".join(map(str, shape))):
        model.compute_reward({"observation.image": np.zeros(shape, np.uint8), "task": "lift"})


def test_grey_frames_go_out(service: Service) -> None:
    model = lerobot.RewardGatewayRewardModel("brief", service.url)
    assert model.compute_reward({"observation.image": np.zeros((1, 1, 8, 8), np.uint8)}).tolist() == [0.0]


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20))
def test_a_float_is_its_nearest_byte(values: list[float]) -> None:
    found = to_bytes(np.array(values, np.float32), "camera").astype(float)
    assert np.abs(found - np.array(values) * 255).max() <= 0.5 + 1e-4


def test_a_picture_in_an_array_goes_out_as_a_png() -> None:
    for picture in (FRAMES[0].transpose(1, 2, 0), FRAMES[0, 0], FRAMES[0, :1].transpose(1, 2, 0)):
        assert convert_image(picture).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="float64 from -1"):
        convert_image(np.full((4, 4, 3), -1.0))
