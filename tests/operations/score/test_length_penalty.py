"""score/length_penalty (2502.18770)."""

import math
from typing import Any

import pytest

OP = "score/length_penalty"


def test_words_beyond_the_free_ones_cost_a_hundredth_each(call: Any) -> None:
    (result,) = call(OP, {"response": "word " * 350})
    assert result["reward"] == pytest.approx(-0.5)
    assert result["details"]["words"] == 350


@pytest.mark.parametrize("words", [0, 1, 299, 300])
def test_up_to_the_limit_it_is_a_plain_zero(call: Any, words: int) -> None:
    (result,) = call(OP, {"response": "word\n" * words})
    assert result["reward"] == 0
    assert math.copysign(1, result["reward"]) == 1


def test_any_whitespace_separates_words(call: Any) -> None:
    (result,) = call(OP, {"response": "  a\tb\n\nc d  "}, free_words=0, per_word=1.0)
    assert result["reward"] == -4


def test_never_above_zero_and_falling_with_each_word(call: Any) -> None:
    results = call(OP, *({"response": "w " * n} for n in range(20)), free_words=5)
    rewards = [result["reward"] for result in results]
    assert rewards == sorted(rewards, reverse=True)
    assert max(rewards) == 0
