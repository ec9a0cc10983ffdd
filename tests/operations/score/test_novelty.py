"""score/novelty (TAXONS)."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import AppendToArchive, ReadArchive
from reward_gateway.operations.registry import catalog

OP = "score/novelty"
EMPTY = np.empty((0, 0))
SEEN = np.array([[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]])


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, {"archive": "run42", "descriptor": [0, 0]}, answers=[SEEN, None], k=2)
    assert result["reward"] == 1.5
    assert result["details"]["neighbours"] == 3


def test_fewer_neighbours_than_k_are_all_taken(call: Any) -> None:
    (result,) = call(OP, {"archive": "a", "descriptor": [0, 0]}, answers=[SEEN[:2], None])
    assert result["reward"] == 1.5


def test_an_empty_archive_gives_zero_and_the_item_joins_it(call: Any) -> None:
    (result,) = call(OP, {"archive": "a", "descriptor": [3, 4]}, answers=[EMPTY, None])
    assert result["reward"] == 0
    assert result["details"]["added"] is True


def test_the_items_of_a_request_see_each_other_and_equal_ones_are_at_distance_zero(call: Any) -> None:
    items = [{"archive": "a", "descriptor": d} for d in ([0, 0], [0, 0], [3, 4])]
    results = call(OP, *items, answers=[EMPTY, None])
    assert [r["reward"] for r in results] == [2.5, 2.5, 5]


@pytest.mark.parametrize(("add", "joined"), [("top5", [0, 1, 3, 4, 5]), ("all", [0, 1, 2, 3, 4, 5]), ("none", [])])
def test_the_most_novel_join_the_archive_in_the_order_given(add: str, joined: list[int]) -> None:
    operation = catalog().get("score", "novelty")
    assert operation is not None
    items = [{"archive": "a", "descriptor": [float(i)]} for i in range(6)]
    steps = apply(operation, items, {"add": add})
    assert next(steps) == ReadArchive("a")
    try:
        need = steps.send(np.zeros((1, 1)))
    except StopIteration:
        assert joined == []
    else:
        assert isinstance(need, AppendToArchive)
        assert need.vectors.ravel().tolist() == joined


def test_descriptors_of_another_length_and_nameless_archives_are_errors(call: Any) -> None:
    good, longer, empty, nameless = call(
        OP,
        {"archive": "a", "descriptor": [0, 0]},
        {"archive": "a", "descriptor": [0, 0, 0]},
        {"archive": "a", "descriptor": []},
        {"descriptor": [0, 0]},
        answers=[SEEN, None],
    )
    assert good["error"] is None
    assert longer["error"]["param"] == empty["error"]["param"] == "descriptor"
    assert nameless["error"]["param"] == "archive"


def test_surprise_is_the_reconstruction_error(call: Any) -> None:
    item = {"archive": "a", "descriptor": [0], "observation": [1, 2], "reconstruction": [1, 0]}
    assert call(OP, item, answers=[EMPTY, None])[0]["details"]["surprise"] == 4
    assert call(OP, {**item, "observation": [1]}, answers=[EMPTY, None])[0]["error"]["param"] == "reconstruction"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=2), min_size=1, max_size=5), st.floats(-9, 9))
def test_never_negative_and_free_of_translation(call: Any, points: list[list[float]], shift: float) -> None:
    plain = call(OP, *({"descriptor": p} for p in points), answers=[EMPTY, None], archive="a")
    moved = call(OP, *({"descriptor": [v + shift for v in p]} for p in points), answers=[EMPTY, None], archive="a")
    for one, other in zip(plain, moved, strict=True):
        assert one["reward"] >= 0
        assert other["reward"] == pytest.approx(one["reward"], abs=1e-6)
