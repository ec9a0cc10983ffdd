"""What a model says of one row, as the reason of its sample."""

import pytest
from reward_gateway.backends.triton.failures import row_failure
from reward_gateway.sample import Invalid


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("too_large: The text is long.", Invalid("too_large", "The text is long.")),
        (
            "invalid_media: images[2]: An image is broken.",
            Invalid("invalid_media", "images[2]: An image is broken.", param="images[2]"),
        ),
        (
            "too_large: frames[255]: An image has too many pixels.",
            Invalid("too_large", "frames[255]: An image has too many pixels.", param="frames[255]"),
        ),
        ("invalid_field: prompt[0]: It is odd.", Invalid("invalid_field", "prompt[0]: It is odd.")),
        ("Anything.", Invalid("model_error", "Anything.")),
    ],
)
def test_a_reason_has_its_code_and_the_place_of_an_image(words: str, reason: Invalid) -> None:
    assert row_failure(words) == reason
