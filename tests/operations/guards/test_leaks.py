"""guards/leaks: a prompt that holds the whole reference, as words."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reward_gateway.operations.guards import GuardView, Judged

from .judging import judge

LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def leaks(*samples: tuple[str | None, Sequence[str]], **params: Any) -> Judged:
    prompts, references = [prompt for prompt, _ in samples], [accepted for _, accepted in samples]
    view = GuardView([""] * len(samples), references, {}, {}, prompts=prompts)
    return judge("reference_in_prompt", view, **params)


@pytest.mark.parametrize(
    ("prompt", "reference", "leaked"),
    [
        ("Who wrote it? Answer: William Shakespeare wrote it.", "william shakespeare", True),
        ("Who wrote it? Answer: William\n  Shakespeare.", "William Shakespeare.", True),
        ("Solve. The answer is ｆｏｒｔｙ－ｔｗｏ exactly", "forty-two exactly", True),
        ("Expand: x^2+2x+1=(x+1)^2 holds for all x", "(x+1)^2 holds for all", True),
        ("Who wrote it?", "William Shakespeare", False),
        ("The Shakespeareans of William", "William Shakespeare", False),
        ("Is 4 even? 4 or 5? yes or no", "4", False),
        ("Is 4 even? Say yes or no.", "yes", False),
        ("Choose (A) red (B) blue", "(B)", False),
        ("Is it preWilliam Shakespeare?", "William Shakespeare", False),
        ("Is it William Shakespearean?", "William Shakespeare", False),
        ("no preWilliam Shakespeare, but William Shakespeare", "William Shakespeare", True),
        ("", "William Shakespeare", False),
        ("anything", "", False),
        ("?!", "…", False),
    ],
)
def test_a_whole_reference_of_some_length_is_a_leak(prompt: str, reference: str, leaked: bool) -> None:
    judged = leaks((prompt, [reference]))
    assert not judged.invalid
    assert judged.suspicious.tolist() == [leaked]


def test_any_accepted_answer_counts_and_the_length_may_be_chosen() -> None:
    assert leaks(("It is Paris, France.", ["the city of light", "Paris, France"])).suspicious.tolist() == [True]
    assert leaks(("It is Paris.", ["Paris"]), min_characters=5).suspicious.tolist() == [True]
    assert leaks(("It is Paris.", ["Paris"]), min_characters=6).suspicious.tolist() == [False]


def test_what_lacks_a_prompt_or_a_reference_is_not_let_through_but_invalid() -> None:
    judged = leaks((None, ["William Shakespeare"]), ("a", []), ("William Shakespeare", ["William Shakespeare"]))
    assert judged.suspicious.tolist() == [False, False, True]
    assert [judged.invalid[i].param for i in sorted(judged.invalid)] == ["prompt", "reference"]


texts = st.text(st.sampled_from("ab 1.,\n"), max_size=30)


@given(texts, texts, texts)
@LAWS
def test_what_stands_around_a_reference_hides_it_from_nobody(before: str, reference: str, after: str) -> None:
    long_enough = sum(map(str.isalnum, reference)) >= 4
    judged = leaks((f"{before} {reference} {after}", [reference.upper()]), min_characters=4)
    assert judged.suspicious.tolist() == [long_enough]


def test_a_prompt_that_nearly_holds_it_a_thousand_times_is_read_in_linear_time() -> None:
    prompt = "abcdefghijk" * 100_000
    assert leaks((prompt, ["abcdefghij"])).suspicious.tolist() == [False]
