"""score/carr and combine/cgrpo."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

PATH, GROUP = "score/carr", "combine/cgrpo"


def verdicts(*pairs: tuple[list[int], bool | int]) -> list[dict[str, Any]]:
    return [{"entities": entities, "supported": supported} for entities, supported in pairs]


EXAMPLE = verdicts(([0], True), ([0, 1], True), ([2, 3], True), ([1], True), ([0], False))


def test_counts_the_rubrics_that_evidence_links_to_the_answer(call: Any) -> None:
    [result] = call(PATH, {"outcome": 1, "verdicts": EXAMPLE}, rho=0.5)
    assert result["details"]["reachable"] == [0, 1, 3]
    assert result["details"]["rubric_reward"] == pytest.approx(0.6)
    assert result["reward"] == pytest.approx(0.8)


def test_the_outcome_alone_counts_by_default(call: Any) -> None:
    assert call(PATH, {"outcome": 1, "verdicts": EXAMPLE})[0]["reward"] == 1.0
    assert call(PATH, {"outcome": 0})[0]["reward"] == 0.0


def test_links_may_come_in_any_order(call: Any) -> None:
    chain = verdicts(([3], 1), ([2, 3], 1), ([1, 2], 1), ([0, 1], 1))
    [result] = call(PATH, {"outcome": 1, "verdicts": chain}, rho=1.0)
    assert result["reward"] == 1.0


def test_a_broken_link_cuts_off_what_lies_behind(call: Any) -> None:
    chain = verdicts(([0, 1], 1), ([1, 2], 0), ([2, 3], 1))
    assert call(PATH, {"outcome": 1, "verdicts": chain}, rho=1.0)[0]["details"]["reachable"] == [0]


def test_a_rubric_with_an_entity_nobody_named_does_not_count(call: Any) -> None:
    item = {"outcome": 1, "verdicts": EXAMPLE, "identified": [0]}
    assert call(PATH, item, rho=1.0)[0]["details"]["reachable"] == [0]


@pytest.mark.parametrize(
    "changes",
    [{"verdicts": []}, {"verdicts": verdicts(([], True))}, {"citations": []}],
)
def test_without_rubrics_slots_or_citations_only_the_outcome_pays(call: Any, changes: dict[str, Any]) -> None:
    [result] = call(PATH, {"outcome": 1, "verdicts": EXAMPLE, **changes}, rho=0.25)
    assert result["reward"] == 0.75


@pytest.mark.parametrize("changes", [{"unfinished": True}, {"history": [{"role": "tool", "content": ""}]}])
def test_an_unfinished_task_earns_nothing(call: Any, changes: dict[str, Any]) -> None:
    [result] = call(PATH, {"outcome": 1, "verdicts": EXAMPLE, **changes}, rho=0.5)
    assert result["reward"] == 0.0


@pytest.mark.parametrize("item", [{"verdicts": EXAMPLE}, {"outcome": 1}])
def test_a_missing_part_is_the_items_error(call: Any, item: dict[str, Any]) -> None:
    assert call(PATH, item, rho=0.3)[0]["error"]["code"] == "invalid_field"


rubrics = st.lists(st.tuples(st.lists(st.integers(0, 4), max_size=3), st.booleans()), max_size=6)


@given(rubrics, st.floats(0, 1), st.integers(0, 1))
@settings(max_examples=50, deadline=None)
def test_more_support_never_reaches_less(call: Any, pairs: list[Any], rho: float, outcome: int) -> None:
    [some] = call(PATH, {"outcome": outcome, "verdicts": verdicts(*pairs)}, rho=rho)
    [all_] = call(PATH, {"outcome": outcome, "verdicts": verdicts(*((e, True) for e, _ in pairs))}, rho=rho)
    assert set(some["details"]["reachable"]) <= set(all_["details"]["reachable"])
    assert 0.0 <= some["reward"] <= all_["reward"] + 1e-12 <= 1.0 + 1e-9


def members(outcomes: list[float], rubric: list[float]) -> dict[str, Any]:
    return {"group": [{"outcome": o, "rubric": r} for o, r in zip(outcomes, rubric, strict=True)]}


@pytest.mark.parametrize(
    ("variant", "expected"),
    [("paper", [0.925, 0.85, 0.0]), ("released", [0.88, 0.82, 0.0]), ("rubric_only_negative", [1.0, 1.0, 0.24])],
)
def test_rubrics_pay_on_top_of_right_answers(call: Any, variant: str, expected: list[float]) -> None:
    [result] = call(GROUP, members([1, 1, 0], [0.6, 0.4, 0.8]), variant=variant)
    assert result["rewards"] == pytest.approx(expected)


def test_no_rubric_reward_at_all_and_no_members_at_all(call: Any) -> None:
    nothing, nobody = call(GROUP, members([1, 0], [0, 0]), {"group": []})
    assert nothing["rewards"] == pytest.approx([0.7, 0.0])
    assert nobody["rewards"] == []


def test_a_negative_rubric_reward_is_the_items_error(call: Any) -> None:
    assert "0 or more" in call(GROUP, members([1], [-0.1]))[0]["error"]["message"]


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=6), st.floats(1e-3, 1e3))
@settings(max_examples=50, deadline=None)
def test_the_papers_rewards_are_blind_to_the_rubrics_scale_and_to_order(call: Any, rows: list[Any], c: float) -> None:
    one, scaled, turned = call(
        GROUP,
        members([o for o, _ in rows], [r for _, r in rows]),
        members([o for o, _ in rows], [c * r for _, r in rows]),
        members([o for o, _ in rows[::-1]], [r for _, r in rows[::-1]]),
    )
    assert one["rewards"] == pytest.approx(turned["rewards"][::-1])
    if max(r for _, r in rows) > 1e-9:
        assert one["rewards"] == pytest.approx(scaled["rewards"])
    assert all(0.0 <= reward <= 1.0 for reward in one["rewards"])
