"""guards/languages: a response in another language than is wanted."""

import sys
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import ValidationError
from reward_gateway.operations.guards import GuardView, Judged
from reward_gateway.operations.languages import load_languages

from .judging import judge

ENGLISH = "The weather is going to be fine today, and we shall walk along the river in the afternoon."
GERMAN = "Das Wetter wird heute schön, und wir werden am Nachmittag am Fluss entlang spazieren gehen."
CHINESE = "今天天气很好，我们下午会沿着河边散步，然后回家吃晚饭，晚上早点休息，明天还要工作。"
GREEK = "Ο καιρός θα είναι καλός σήμερα και θα περπατήσουμε κατά μήκος του ποταμού το απόγευμα."
CODE = "```python\nfor value in numbers: print(value * 2)  # das ist nur ein kleiner Kommentar im Programm\n```\n"


def languages(responses: Sequence[str | None], prompts: Sequence[str | None] = (), **params: Any) -> Judged:
    absent = frozenset(i for i, response in enumerate(responses) if response is None)
    texts = [response or "" for response in responses]
    view = GuardView(texts, [()] * len(texts), {}, {}, prompts=prompts, without_response=absent)
    return judge("wrong_language", view, **params)


def test_a_response_in_another_language_is_flagged() -> None:
    judged = languages([ENGLISH, GERMAN, CHINESE, GREEK], language="en")
    assert not judged.invalid
    assert judged.suspicious.tolist() == [False, True, True, True]


def test_unless_told_otherwise_the_prompt_says_which_language_is_wanted() -> None:
    judged = languages([ENGLISH, GERMAN, GERMAN, CHINESE], [GERMAN, GERMAN, CHINESE, CHINESE])
    assert not judged.invalid
    assert judged.suspicious.tolist() == [True, False, True, False]


def test_what_says_little_is_in_no_language() -> None:
    assert languages(["42", "", "ja, ja", "$\\alpha + \\beta = \\gamma$ " * 9], language="en").suspicious.sum() == 0
    assert languages(["ja, ja, das ist so"], language="en", min_letters=10).suspicious.tolist() == [True]


def test_code_and_mathematics_are_not_read() -> None:
    assert languages([CODE + ENGLISH, CODE + GERMAN], language="en").suspicious.tolist() == [False, True]


def test_what_cannot_be_judged_is_not_let_through_but_invalid() -> None:
    judged = languages([ENGLISH, ENGLISH, None, ENGLISH], [None, "6 * 7 = ?", ENGLISH, ENGLISH])
    assert judged.suspicious.tolist() == [False] * 4
    assert {i: (reason.code, reason.param) for i, reason in judged.invalid.items()} == {
        0: ("missing_field", "prompt"),
        1: ("invalid_field", "prompt"),
        2: ("missing_field", "response"),
    }


@pytest.mark.parametrize("params", [{"language": "xx"}, {"candidates": ["en", "klingon"]}, {"min_letters": 0}])
def test_languages_that_nobody_knows_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        languages([ENGLISH], **params)


def test_without_the_extra_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    load_languages.cache_clear()
    monkeypatch.setitem(sys.modules, "lingua", None)
    with pytest.raises(ValidationError, match=r"reward-gateway\[language\]"):
        languages([ENGLISH], language="en")
    load_languages.cache_clear()
