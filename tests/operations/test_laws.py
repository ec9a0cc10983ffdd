"""Laws that every stateless, ungrouped rule and combiner of this project's own keeps, whatever it is given."""

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LAWS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

TEXT_RULES: dict[str, dict[str, Any]] = {
    "exact_match": {},
    "contains": {},
    "regex_match": {"pattern": r"\d+"},
    "numeric_match": {},
    "multiple_choice": {},
    "boxed_answer": {},
    "json_schema": {"json_schema": {"type": "object"}},
    "format_tags": {"mode": "soft"},
    "code_fence": {},
    "valid_python": {},
    "response_length": {},
    "overlong_penalty": {"max_length": 10.0, "cache": 5.0},
    "linear_length": {"target": 5.0},
    "repetition_penalty": {"n": 2},
    "distinct_ngrams": {},
    "bleu": {},
    "rouge": {},
    "edit_similarity": {},
    "token_f1": {},
    "keyword_coverage": {"keywords": ["a"]},
    "language": {},
    "tool_calls": {"rel_tol": 0.1},
}
WITHOUT_REFERENCE = {
    *("regex_match", "json_schema", "format_tags", "code_fence", "valid_python", "response_length", "language"),
    *("overlong_penalty", "linear_length", "repetition_penalty", "distinct_ngrams", "keyword_coverage"),
}
PIECES = ["", " ", "a", "B", "12", "1,000.5", r"\boxed{4}", "<think>", "</think>", "<answer>", "</answer>"]
PIECES += ["<tool_call>", "[TOOL_CALLS]", "f(a=1)", '\n{"name": "f", "arguments": {"a": 1}}']
PIECES += ["```\n", "```json\n", '{"a": 1}', "the", "\n", "解", "\ud800", "\0", "…", "🙂", "NaN", "-"]
texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=8).map("".join)
pairs = st.lists(st.tuples(texts, texts), min_size=1, max_size=4)


@pytest.mark.parametrize("name", list(TEXT_RULES))
@given(given=pairs)
@LAWS
def test_any_text_gets_a_finite_reward_or_a_reason_and_the_same_alone_as_in_a_batch(
    call: Any, name: str, given: list[tuple[str, str]]
) -> None:
    items = [
        {"response": response} if name in WITHOUT_REFERENCE else {"response": response, "reference": reference}
        for response, reference in given
    ]
    together = call(f"score/{name}", *items, **TEXT_RULES[name])
    for item, result in zip(items, together, strict=True):
        if result["error"] is None:
            assert math.isfinite(result["reward"])
        else:
            assert result["reward"] is None
        assert call(f"score/{name}", item, **TEXT_RULES[name]) == [result]


COMBINERS: dict[str, dict[str, Any]] = {
    "mean": {},
    "product": {},
    "min": {},
    "max": {},
    "soft_min": {"temperature": 0.1},
    "weighted_sum": {"weights": {"a": 0.3, "b": -2.0}},
    "gate": {"gate": "a", "threshold": 0.0},
    "lexicographic": {"order": [{"name": "a", "low": -1e4, "high": 1e4}, {"name": "b"}]},
}
components = st.dictionaries(st.sampled_from("abc"), st.floats(-1e4, 1e4), max_size=3)


@pytest.mark.parametrize("name", list(COMBINERS))
@given(given=st.lists(components, min_size=1, max_size=5))
@LAWS
def test_any_components_get_a_finite_reward_or_a_reason_and_the_same_alone_as_in_a_batch(
    call: Any, name: str, given: list[dict[str, float]]
) -> None:
    together = call(f"combine/{name}", *({"rewards": rewards} for rewards in given), **COMBINERS[name])
    for rewards, result in zip(given, together, strict=True):
        assert (result["error"] is None) == (result["reward"] is not None)
        if not rewards:
            assert result["reward"] is None
        assert call(f"combine/{name}", {"rewards": rewards}, **COMBINERS[name]) == [result]
