"""operations/answers/rewriting.py: rules, and the marks that tell where they have nothing to do."""

import re
from collections.abc import Iterator
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reward_gateway.operations.answers import number_notation
from reward_gateway.operations.answers.rewriting import Rewriting, rewriting
from reward_gateway.operations.mathematics import decide, notation, wording


def rules_of(module: ModuleType) -> Iterator[Rewriting]:
    for held in vars(module).values():
        yield from (rule for rule in (held if isinstance(held, tuple) else (held,)) if isinstance(rule, Rewriting))


RULES = [rule for module in (number_notation, notation, decide, wording) for rule in rules_of(module)]


def test_a_rule_rewrites_every_match() -> None:
    assert rewriting(r"(\d)%", r"\1 percent", "%")("5% of 7%") == "5 percent of 7 percent"


def test_a_text_without_a_mark_is_left_as_it_is() -> None:
    assert rewriting(r"\d", "", "%")("5") == "5"


@pytest.mark.parametrize("rule", RULES, ids=[rule.pattern.pattern for rule in RULES])
def test_every_match_of_a_rule_contains_one_of_its_marks(rule: Rewriting) -> None:
    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(st.from_regex(rule.pattern))
    def holds(text: str) -> None:
        found = rule.pattern.search(text)
        assert found is not None
        assert any(mark in found.group() for mark in rule.marks)
        assert rule(text) == rule.pattern.sub(rule.replacement, text)

    holds()


def test_the_rules_are_found() -> None:
    assert len(RULES) > 40
    assert all(isinstance(rule.pattern, re.Pattern) for rule in RULES)
