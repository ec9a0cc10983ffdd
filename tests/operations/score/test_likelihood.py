"""score/likelihood."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import TokenLogprobs, Vector
from reward_gateway.operations.registry import catalog

PATH = "score/likelihood"
TOKENS = [-0.1, -0.5, -0.4]
logprobs = st.lists(st.floats(-1e4, 0), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("logprob", -1.0), ("avg_logprob", -1 / 3), ("prob", 0.36788), ("avg_prob", 0.72723), ("jepo", -1.0)],
)
def test_every_kind(call: Any, kind: str, expected: float) -> None:
    [result] = call(PATH, {"ref_logprobs": TOKENS}, kind=kind)
    assert result["reward"] == pytest.approx(expected, abs=5e-6)
    assert result["details"]["tokens"] == 3


GROUP = [{"ref_logprobs": [total], "group": "q1"} for total in (-1.0, -2.0, -3.0)]


def test_leave_one_out_advantages(call: Any) -> None:
    results = call(PATH, *GROUP, advantage="rloo")
    assert [result["details"]["advantage"] for result in results] == pytest.approx([1.5, 0.0, -1.5])
    assert [result["reward"] for result in results] == [-1.0, -2.0, -3.0]


def test_jepo_advantages_and_group_reward(call: Any) -> None:
    results = call(PATH, *GROUP, kind="jepo", advantage="jepo")
    assert [result["details"]["advantage"] for result in results] == pytest.approx([0.6889, -0.1248, -0.3111], abs=5e-5)
    assert [result["reward"] for result in results] == pytest.approx([-1.6910] * 3, abs=5e-5)


def test_groups_do_not_see_each_other_and_one_alone_has_no_baseline(call: Any) -> None:
    alone = {"ref_logprobs": [-7.0], "group": "q2"}
    for advantage in ("rloo", "jepo"):
        results = call(PATH, *GROUP, alone, advantage=advantage)
        assert results[3]["details"]["advantage"] == 0.0
        assert results[:3] == call(PATH, *GROUP, advantage=advantage)


def test_correctness_is_the_base_kind(call: Any) -> None:
    right, wrong, unknown = call(PATH, {"correct": True}, {"correct": False}, {}, kind="base", advantage="rloo")
    assert (right["reward"], wrong["reward"]) == (1.0, 0.0)
    assert (right["details"]["advantage"], wrong["details"]["advantage"]) == (1.0, -1.0)
    assert unknown["error"]["code"] == "invalid_field"


@pytest.mark.parametrize("tokens", [[], [0.1], [-1.0, math.nan], None])
def test_what_is_no_log_probability_is_refused(call: Any, tokens: Any) -> None:
    bad, fine = call(PATH, {"ref_logprobs": tokens}, {"ref_logprobs": [-1.0]}, advantage="rloo")
    assert bad["error"]["code"] == "invalid_field"
    assert (fine["reward"], fine["details"]["advantage"]) == (-1.0, 0.0)


def test_minus_infinity_is_probability_zero_and_a_bounded_logarithm(call: Any) -> None:
    item = {"ref_logprobs": [-math.inf, -1.0]}
    assert call(PATH, item, kind="prob")[0]["reward"] == 0.0
    assert call(PATH, item, kind="avg_prob")[0]["reward"] == pytest.approx(math.exp(-1) / 2)
    assert call(PATH, item)[0]["reward"] == -10001.0
    assert call(PATH, item, kind="avg_logprob")[0]["reward"] == -5000.5


@pytest.mark.parametrize(("kind", "advantage"), [("jepo", "rloo"), ("base", "jepo")])
def test_kinds_and_advantages_that_do_not_go_together(call: Any, kind: str, advantage: str) -> None:
    with pytest.raises(InvalidRequest):
        call(PATH, *GROUP, kind=kind, advantage=advantage)


def test_texts_are_read_by_the_hosted_language_model() -> None:
    operation = catalog().get("score", "likelihood")
    assert operation is not None
    items = [{"prompt": "2+2?", "cot": "Two and two.", "reference": "4"}, {"ref_logprobs": [-1.0]}]
    steps = apply(operation, items, {"answer_prefix": " So: "})
    need = next(steps)
    assert need == TokenLogprobs(["2+2?Two and two. So:"], [" 4"], "language_model"), "a word begins with its space"
    with pytest.raises(StopIteration) as stop:
        steps.send([Vector(np.array([-0.25, -0.25]), ("truncated",))])
    assert [result["reward"] for result in stop.value.value] == [-0.5, -1.0]
    assert stop.value.value[0]["details"]["flags"] == ["truncated"]


@given(logprobs)
@settings(max_examples=50, deadline=None)
def test_bounds_of_every_kind(call: Any, tokens: list[float]) -> None:
    item = {"ref_logprobs": tokens}
    values = {kind: call(PATH, item, kind=kind)[0]["reward"] for kind in ("logprob", "avg_logprob", "prob", "avg_prob")}
    assert values["logprob"] <= values["avg_logprob"] <= 0
    assert 0 <= values["prob"] <= values["avg_prob"] <= 1 + 1e-12
    assert values["prob"] == pytest.approx(math.exp(values["logprob"]), abs=1e-12)


@given(st.lists(st.tuples(logprobs, st.sampled_from("ab")), min_size=1, max_size=8), st.sampled_from(["rloo", "jepo"]))
@settings(max_examples=50, deadline=None)
def test_a_batch_equals_its_groups_one_by_one(call: Any, rows: list[Any], advantage: str) -> None:
    items = [{"ref_logprobs": tokens, "group": group} for tokens, group in rows]
    together = call(PATH, *items, advantage=advantage)
    for name in "ab":
        places = [i for i, item in enumerate(items) if item["group"] == name]
        apart = call(PATH, *(items[i] for i in places), advantage=advantage)
        assert [together[i]["reward"] for i in places] == pytest.approx([result["reward"] for result in apart])
        ours = [together[i]["details"]["advantage"] for i in places]
        assert ours == pytest.approx([result["details"]["advantage"] for result in apart], abs=1e-9)
        assert np.isfinite(ours).all()
        if advantage == "rloo":
            assert sum(ours) == pytest.approx(0.0, abs=1e-6)
