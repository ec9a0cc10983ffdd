"""audit/template_convergence."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

PATH = "audit/template_convergence"
texts = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=6).map(" ".join)


def test_equal_responses_are_one_template_and_disjoint_ones_are_none(call: Any) -> None:
    equal, disjoint = call(PATH, {"responses": ["one two three four"] * 3}, {"responses": ["a b c d", "e f g h"]})
    assert equal["reward"] == 1.0
    assert equal["details"] == {"pairs": 3, "max": 1.0, "closest": [0, 1], "identical": 1.0}
    assert disjoint["reward"] == 0.0


def test_counts_shared_trigrams_over_all_trigrams(call: Any) -> None:
    # {abc, bcd} and {abc, bce}: 1 of 3.
    [result] = call(PATH, {"responses": ["a b c d", "a b c e"]})
    assert result["reward"] == pytest.approx(1 / 3)


def test_the_closest_pair_is_named(call: Any) -> None:
    [result] = call(PATH, {"responses": ["a b", "c d", "x y", "C D"]}, n=2)
    assert result["details"]["closest"] == [1, 3]
    assert result["reward"] == pytest.approx(1 / 6)


def test_short_texts_are_one_gram_and_blank_texts_are_equal(call: Any) -> None:
    blank, half, short = call(
        PATH, {"responses": ["", "  "]}, {"responses": ["", "word"]}, {"responses": ["only two", "only two"]}
    )
    assert [blank["reward"], half["reward"], short["reward"]] == [1.0, 0.0, 1.0]


def test_case_can_be_kept(call: Any) -> None:
    item = {"responses": ["A b c", "a b c"]}
    assert call(PATH, item)[0]["reward"] == 1.0
    assert call(PATH, item, lowercase=False)[0]["reward"] == 0.0


@pytest.mark.parametrize("responses", [[], ["alone"]])
def test_fewer_than_two_responses_have_no_pair(call: Any, responses: list[str]) -> None:
    [result] = call(PATH, {"responses": responses})
    assert "two" in result["error"]["message"]


def test_more_responses_than_a_block_equal_the_pairs_one_by_one(call: Any) -> None:
    responses = [f"a {i % 7} b {i % 5}" for i in range(300)]
    [whole] = call(PATH, {"responses": responses}, n=1)
    grams = [set(text.split()) for text in responses]
    pairs = [len(a & b) / len(a | b) for i, a in enumerate(grams) for b in grams[i + 1 :]]
    assert whole["reward"] == pytest.approx(sum(pairs) / len(pairs))


@given(st.lists(texts, min_size=2, max_size=6), st.integers(1, 3), st.randoms())
@settings(max_examples=50, deadline=None)
def test_is_between_0_and_1_and_blind_to_order(call: Any, responses: list[str], n: int, random: Any) -> None:
    shuffled = responses[:]
    random.shuffle(shuffled)
    one, other = call(PATH, {"responses": responses}, {"responses": shuffled}, n=n)
    assert 0.0 <= one["reward"] <= 1.0
    assert one["reward"] == pytest.approx(other["reward"])
