"""credit/shapley."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import ScoreWithModel
from reward_gateway.operations.registry import catalog
from reward_gateway.sample import Invalid, RawScores

PATH = "credit/shapley"
VALUES = {"": 0, "0": 1, "1": 2, "2": 0, "0,1": 4, "0,2": 1, "1,2": 2, "0,1,2": 5}


def keys(n: int) -> list[str]:
    return [",".join(map(str, chosen)) for k in range(n + 1) for chosen in combinations(range(n), k)]


def test_shapley_values_share_out_the_gain(call: Any) -> None:
    [result] = call(PATH, {"values": VALUES})
    assert result["rewards"] == pytest.approx([11 / 6, 17 / 6, 1 / 3])
    assert result["details"]["shapley"] == pytest.approx([1.8333, 2.8333, 0.3333], abs=5e-5)
    assert (result["details"]["total"], result["details"]["empty"]) == (5.0, 0.0)


def test_the_rest_of_the_weight_is_paid_at_the_end(call: Any) -> None:
    [result] = call(PATH, {"values": VALUES}, alpha=0.5)
    assert result["rewards"] == pytest.approx([0.9167, 1.4167, 2.6667], abs=5e-5)


def test_kl_is_added_to_every_segment(call: Any) -> None:
    [result] = call(PATH, {"values": VALUES, "kl": [-1.0, 0.0, 1.0]}, alpha=0.5)
    assert result["rewards"] == pytest.approx([-0.0833, 1.4167, 3.6667], abs=5e-5)


def test_no_segment_has_no_reward_and_one_takes_the_whole_gain(call: Any) -> None:
    none, one = call(PATH, {"values": {"": 3.0}}, {"values": {"": -1.0, "0": 4.0}})
    assert none["rewards"] == []
    assert one["rewards"] == [5.0]


def test_keys_may_be_written_in_any_order(call: Any) -> None:
    spelled = {", ".join(reversed(key.split(","))): value for key, value in VALUES.items()}
    assert call(PATH, {"values": spelled})[0]["rewards"] == call(PATH, {"values": VALUES})[0]["rewards"]


@pytest.mark.parametrize(
    ("item", "word"),
    [
        ({"values": {"0": 1.0}}, "''"),
        ({"values": {"": 0.0, "0": 1.0, "1": 1.0}}, "'0,1'"),
        ({"values": {"": 0.0, "a": 1.0}}, "indices"),
        ({"values": {"": 0.0, "-1": 1.0}}, "indices"),
        ({"values": {"0,1": 0.0, "1,0": 1.0}}, "twice"),
        ({"values": {"": 0.0, "0": 1.0}, "kl": []}, "kl"),
        ({"values": VALUES, "coalitions": [[0, 1]]}, "coalitions"),
        ({"values": VALUES, "coalitions": [[0, 1, 2], []]}, "coalitions"),
        ({"segments": ["a"] * 13, "rm": "m"}, "permutation"),
        ({"segments": ["a"]}, "rm"),
        ({}, "values"),
    ],
)
def test_what_has_no_answer_is_the_items_error(call: Any, item: dict[str, Any], word: str) -> None:
    bad, fine = call(PATH, item, {"values": VALUES})
    assert word in bad["error"]["message"]
    assert fine["error"] is None


def test_segments_are_scored_in_all_subsets_by_the_hosted_model() -> None:
    operation = catalog().get("credit", "shapley")
    assert operation is not None
    items = [{"prompt": "p", "segments": ["a", "b"], "rm": "m"}, {"prompt": "q", "segments": [], "rm": "m"}]
    steps = apply(operation, items, {"missing": "space"})
    need = next(steps)
    assert isinstance(need, ScoreWithModel)
    assert need.model == "m"
    assert need.batch.responses == ["  ", "a ", " b", "ab", ""]
    assert need.batch.prompts == ["p"] * 4 + ["q"]
    scores = RawScores(np.array([[1.0], [2.0], [4.0], [9.0], [0.0]]), "m", "1", np.zeros(5, dtype=bool))
    with pytest.raises(StopIteration) as stop:
        steps.send(scores)
    first, second = stop.value.value
    assert first["rewards"] == pytest.approx([3.0, 5.0])
    assert second["rewards"] == []


def test_a_subset_without_a_score_makes_its_item_invalid(call: Any) -> None:
    scores = RawScores(np.array([[1.0], [np.nan], [1.0], [2.0]]), "m", "1", np.zeros(4, dtype=bool))
    scores.invalid[1] = Invalid("model_error", "no score")
    bad, fine = call(PATH, {"segments": ["a"]}, {"segments": ["b"]}, model="m", answers=[scores])
    assert bad["error"]["code"] == "model_error"
    assert fine["rewards"] == [1.0]


def test_sampled_orders_come_near_the_exact_values_and_repeat(call: Any) -> None:
    rng = np.random.default_rng(0)
    values = {key: float(rng.normal()) for key in keys(5)}
    [exact] = call(PATH, {"values": values})
    [sampled] = call(PATH, {"values": values}, method="permutation", permutations=4096)
    assert sampled["rewards"] == pytest.approx(exact["rewards"], abs=0.1)
    assert call(PATH, {"values": values}, method="permutation", permutations=4096)[0] == sampled


def test_many_segments_need_few_subsets_when_orders_are_sampled() -> None:
    operation = catalog().get("credit", "shapley")
    assert operation is not None
    steps = apply(operation, [{"segments": ["x"] * 40, "rm": "m"}], {"method": "permutation", "permutations": 3})
    need = next(steps)
    assert isinstance(need, ScoreWithModel)
    assert len(need.batch.responses) <= 3 * 40 + 2


games = st.integers(1, 5).flatmap(
    lambda n: st.lists(st.floats(-1e4, 1e4), min_size=2**n, max_size=2**n).map(
        lambda values: dict(zip(keys(n), values, strict=True))
    )
)
methods = st.sampled_from([{}, {"method": "permutation", "permutations": 5}])


@given(games, methods)
@settings(max_examples=50, deadline=None)
def test_the_values_sum_to_the_whole_gain(call: Any, values: dict[str, float], params: dict[str, Any]) -> None:
    n = max(len(key.split(",")) for key in values)
    coalitions = [list(range(0, n, 2)), list(range(1, n, 2))] if n > 1 else [[0]]
    gain = values[",".join(map(str, range(n)))] - values[""]
    for item in ({"values": values}, {"values": values, "coalitions": coalitions}):
        [result] = call(PATH, item, **params)
        assert sum(result["details"]["shapley"]) == pytest.approx(gain, abs=1e-6)


@given(games)
@settings(max_examples=30, deadline=None)
def test_owen_values_of_single_coalitions_and_of_one_are_shapleys(call: Any, values: dict[str, float]) -> None:
    n = max(len(key.split(",")) for key in values)
    [plain] = call(PATH, {"values": values})
    for coalitions in ([[i] for i in range(n)], [list(range(n))]):
        [owen] = call(PATH, {"values": values, "coalitions": coalitions})
        assert owen["rewards"] == pytest.approx(plain["rewards"], abs=1e-6)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=5), methods)
@settings(max_examples=30, deadline=None)
def test_a_sum_of_parts_is_given_back_part_by_part(call: Any, parts: list[float], params: dict[str, Any]) -> None:
    values = {key: sum(parts[int(i)] for i in key.split(",") if i) for key in keys(len(parts))}
    [result] = call(PATH, {"values": values}, **params)
    assert result["rewards"] == pytest.approx(parts, abs=1e-6)
