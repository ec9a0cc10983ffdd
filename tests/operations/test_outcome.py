"""An item that cannot be answered says why and where, and its neighbours are answered."""

from typing import Any

import httpx
import numpy as np
import pytest
from reward_gateway.operations.outcome import ItemError, Row, by_row
from reward_gateway.sample import Invalid

pytestmark = pytest.mark.anyio


def test_an_item_error_is_that_items_reason_with_the_field_at_fault() -> None:
    def answer(i: int) -> Row:
        if i == 1:
            raise ItemError("there are no pairs", param="pairs")
        if i == 2:
            raise ItemError("give a or b")
        return Row(reward=1.0)

    outcome = by_row(4, answer)
    assert outcome.reward is not None
    assert outcome.reward[[0, 3]].tolist() == [1.0, 1.0]
    assert outcome.invalid == {
        1: Invalid("invalid_field", "there are no pairs", param="pairs"),
        2: Invalid("invalid_field", "give a or b"),
    }


@pytest.mark.parametrize(
    ("path", "item", "params", "param"),
    [
        (
            "score/graphia_dst",
            {"candidates": [1, 2], "gnn_probs": [0.5], "dx_src": 1},
            {"reward_type": "gnn"},
            "gnn_probs",
        ),
        ("score/judge_pairwise", {"answers": ["VERDICT: A"]}, {"judge": "any"}, "answers"),
        ("audit/preference_topology", {"edges": [["a", "b", 1], ["b", "c", 0]]}, {}, "edges[1]"),
        ("credit/lare", {"factors": [[1.0]]}, {"direct": True, "rescale": True}, "return"),
        ("credit/shapley", {"values": {"": 0, "x": 1}}, {}, "values"),
        ("credit/potential_shaping", {"rewards": [1], "potentials": [1]}, {}, "potentials"),
        ("credit/info_gain", {"beliefs": [{"a": [1, 1]}], "constraints": [{"b": [0]}]}, {}, "constraints"),
        ("combine/harmo", {"group": [{"rule": 1}, {}]}, {}, "group[1]"),
    ],
)
async def test_the_error_of_an_item_names_the_field_at_fault(
    http: httpx.AsyncClient, path: str, item: dict[str, Any], params: dict[str, Any], param: str
) -> None:
    answer = await http.post(f"/v1/{path}", json={"items": [item], "params": params})
    assert answer.status_code == 200, answer.text
    (result,) = answer.json()["results"]
    assert (result["error"]["code"], result["error"]["param"]) == ("invalid_field", param)


def test_a_row_whose_numbers_run_over_is_a_row_like_others() -> None:
    numbers = np.array([1.0, 1e308])
    outcome = by_row(2, lambda i: Row(float(numbers[i] * np.float64(1e10))))
    assert outcome.reward is not None
    assert outcome.reward.tolist() == [1e10, np.inf]
