"""Images become pixels as image processors make them: one size, the middle, mean and deviation taken off."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from reward_models.runtime.pixels import PixelReader

PLAIN = {"resize": 24, "resample": 3, "crop": [24, 24], "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90))
def test_an_image_of_any_shape_has_the_size_of_the_crop(width: int, height: int) -> None:
    pixels = PixelReader(PLAIN)(Image.new("RGB", (width, height), (255, 0, 51)))
    assert pixels.shape == (3, 24, 24)
    np.testing.assert_allclose(pixels, np.broadcast_to(np.array([1, 0, 0.2])[:, None, None], (3, 24, 24)), atol=1e-6)


def test_mean_and_deviation_are_those_of_each_channel() -> None:
    reader = PixelReader(PLAIN | {"mean": [0.5, 0.0, 0.2], "std": [0.5, 1.0, 0.1]})
    pixels = reader(Image.new("RGB", (30, 30), (255, 0, 51)))
    np.testing.assert_allclose(pixels[:, 3, 3], [1, 0, 0], atol=1e-6)


@pytest.mark.parametrize(("size", "side"), [((100, 50), 0), ((50, 100), 1)])
def test_the_middle_of_the_longer_side_is_seen(size: tuple[int, int], side: int) -> None:
    image = Image.new("RGB", size)
    middle = [25, 0, 75, 50] if side == 0 else [0, 25, 50, 75]
    image.paste((255, 255, 255), tuple(middle))  # type: ignore[arg-type]
    pixels = PixelReader(PLAIN | {"resample": 0})(image)
    assert pixels.mean() > 0.95


def test_a_fixed_size_ignores_the_shape() -> None:
    pixels = PixelReader(PLAIN | {"resize": [10, 20], "crop": None})(Image.new("RGB", (99, 31)))
    assert pixels.shape == (3, 10, 20)


def test_an_image_that_is_smaller_than_the_crop_stands_on_black() -> None:
    pixels = PixelReader(PLAIN | {"resize": None})(Image.new("RGB", (10, 10), (255, 255, 255)))
    assert pixels[0, 12, 12] == 1
    assert pixels[0, 0, 0] == 0
