"""operations/master_keys.py: what says nothing is told from what says little."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.operations.master_keys import MASTER_KEYS, content_free


@pytest.mark.parametrize("key", MASTER_KEYS)
def test_each_of_the_ten_keys_is_content_free(key: str) -> None:
    assert content_free(key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\t ",
        "...!?",
        "「」。",
        "\u200b",
        "SOLUTION:",
        "Ｓｏｌｕｔｉｏｎ",
        "Let’s solve this problem step by step",
        "Thought process: Let's solve this problem step by step. Solution:",
        "**Solution**",
        "解：",
        "The answer is:",
    ],
)
def test_variants_and_strings_of_openers_are_content_free(text: str) -> None:
    assert content_free(text)


@pytest.mark.parametrize(
    "text",
    ["7", "x", "-1", "∞", "π", "是", "Solutions", "Solution: 7", "解答", "Respuesta: no", "The answer is 4.", "a."],
)
def test_a_short_answer_is_an_answer(text: str) -> None:
    assert not content_free(text)


def test_a_text_that_equals_the_reference_is_never_content_free() -> None:
    assert not content_free(" solution ", "Solution")
    assert not content_free(".", ".")
    assert content_free(".", "7")


@given(st.text(min_size=1).filter(lambda text: any(character.isdigit() for character in text)))
def test_a_text_with_a_digit_has_content(text: str) -> None:
    assert not content_free(text)
