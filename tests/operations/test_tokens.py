"""Words where spaces part them, and where they do not."""

import time
from collections.abc import Callable
from functools import partial

import pytest
from reward_gateway.operations.tokens import isolate_letters, split_letters, split_terms, split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's  3.5 C++ (ok)!\n", ["It's", "3.5", "C++", "(ok)!"]),
        ("Über öde Straßen —", ["Über", "öde", "Straßen", "—"]),
        ("我用Python 3，很好。", ["我", "用", "Python", "3", "很", "好"]),
        ("a漢b", ["a", "漢", "b"]),
        ("データ ok", ["デ", "ー", "タ", "ok"]),
        ("오늘은 날씨가", ["오늘은", "날씨가"]),
        ("ครับ hi", ["ค", "รั", "บ", "hi"]),
        ("", []),
    ],
)
def test_white_space_parts_words_and_scripts_without_spaces_count_by_letter(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_other_ways_to_part_words() -> None:
    assert split_words("Don't stop: 3.14, データ", "words") == ["Don't", "stop", "3.14", "データ"]
    assert split_words("a é 漢", "characters") == ["a", "é", "漢"]
    assert split_words("我爱Python。", "zh") == ["我", "爱", "Python", "。"]


def test_compared_words_have_no_case_and_no_signs() -> None:
    assert split_letters("Don't, O'Neil_2!") == ["don", "t", "o", "neil", "2"]
    assert split_letters("हिन्दी में") == ["हिन्दी", "में"]
    assert split_letters("a漢字b") == ["a", "漢", "字", "b"]


def test_terms_keep_the_signs_that_make_another_word_of_them() -> None:
    assert split_terms("C, C++ & C#. .NET x+y A+! end.Next #tag") == [
        *("c", "c++", "c#", ".net", "x", "y", "a+", "end", "next", "tag")
    ]


def test_isolated_letters_leave_other_texts_as_they_are() -> None:
    assert isolate_letters("Das ist öde.") == "Das ist öde."
    assert isolate_letters("我a").split() == ["我", "a"]


BY_UNICODE = [partial(split_words, tokens="words"), partial(split_words, tokens="characters")]


@pytest.mark.parametrize(
    "piece", ["漢", "a漢", "ก\u0e31", "a+", ".a", "e\u0301", "\u0301", "'", "👨\u200d", "🇩🇪", "_é", "##", "+", "漢ー"]
)
@pytest.mark.parametrize("split", [split_words, split_letters, split_terms, isolate_letters, *BY_UNICODE])
def test_time_grows_with_the_length(split: Callable[[str], object], piece: str) -> None:
    def cost(text: str) -> float:
        start = time.process_time()
        split(text)
        return time.process_time() - start

    # A quadratic rule would take minutes.
    assert cost(piece * 50_000) < 20.0
