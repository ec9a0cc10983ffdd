"""Callers' regular expressions: what would unroll beyond all measure is refused before it is compiled."""

from typing import Any

import pytest
import regex
from reward_gateway.errors import InvalidRequest
from reward_gateway.operations.patterns import LONGEST, MOST_REPEATED, compile_pattern, count_elements


@pytest.mark.parametrize(
    ("pattern", "elements"),
    [
        ("abc", 3),
        (r"\d{4}-\d{2}", 7),
        ("[a-z]{5}", 5),
        (r"[]\]x]{3}", 3),
        ("a{7,}b{2,9}", 9),
        ("(ab){10}", 20),
        ("((a{10}){10}){10}", 1000),
        ("a{1000} {1000}", 1_000_001),
        ("a{1000}(?#why){1000}", 1_000_000),
        ("a*b+c?", 6),
        (r"\({3}", 3),
        ("a{,5}", 5),
        ("(( {1000}){1000}){19}", 19_000_000),
        ("(?x)a{ 1 0 }", 12),
    ],
)
def test_counted_repeats_are_counted_as_if_written_out(pattern: str, elements: int) -> None:
    assert count_elements(pattern) == elements


@pytest.mark.parametrize("pattern", ["(?:(?:a{1000}){1000}){1000}", "x{65535}" * 100, "a{20001}"])
def test_a_pattern_that_unrolls_beyond_measure_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="repeats"):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?x)#[\n(?:(?:a{1000}){1000}){1000}#]",
        "(?x:#(?#\n((a{1000}){1000}){1000}#)\n)",
        "(?i)(?sx)(a{1000#\n}){1000}",
        "(?x)(?:(?:a{ 1 000 }){1 000}){1000 }",
        "(( {1000}){1000}){1000}",
        "((\n{1000}){1000}){1000}",
    ],
)
def test_spaces_and_comments_hide_no_repeats(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"repeats|comment"):
        compile_pattern(pattern)


def test_the_flag_x_without_comments_is_understood() -> None:
    assert compile_pattern(r"(?x) (?P<year> \d{4} ) [#] \# (?P<x>b)").fullmatch("2026##b")
    assert compile_pattern("(?P<x>#a)").fullmatch("#a")


def test_large_patterns_are_kept_only_few_at_a_time() -> None:
    kept = len(regex._main._cache)
    for i in range(20):
        compile_pattern(f"a{{{MOST_REPEATED - 100}}}{i}")
    assert len(regex._main._cache) == kept
    assert compile_pattern("large{19000}") is compile_pattern("large{19000}")
    assert compile_pattern("large{19000}", regex.IGNORECASE) is not compile_pattern("large{19000}")


def test_the_exact_limits_pass() -> None:
    assert compile_pattern(f"a{{{MOST_REPEATED}}}").fullmatch("a" * MOST_REPEATED)
    assert compile_pattern("a" * LONGEST)
    with pytest.raises(ValueError, match="1001 characters"):
        compile_pattern("a" * (LONGEST + 1))
    with pytest.raises(ValueError, match="no regular expression"):
        compile_pattern("(")


def test_the_request_is_refused_with_the_field(call: Any) -> None:
    with pytest.raises(InvalidRequest, match="repeats") as refused:
        call("score/regex_match", {"response": "a"}, pattern="(?:(?:a{1000}){1000}){1000}")
    assert refused.value.param == "params.pattern"
