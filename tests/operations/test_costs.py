"""operations/costs: what a recipe computes with numpy over an ordinary batch stays on the event loop."""

from typing import Any

import numpy as np
import pytest
from reward_gateway.operations.columns import Columns
from reward_gateway.operations.costs import Cost
from reward_gateway.operations.registry import catalog

SIZE = 1024
NUMBERS = np.linspace(0.0, 1.0, SIZE)
TABLE = dict.fromkeys(("format", "accuracy", "style"), NUMBERS)
LEVELS = [{"name": name, "low": 0, "high": 1, "steps": 4} for name in TABLE]


@pytest.mark.parametrize(
    ("kind", "name", "columns", "params"),
    [
        ("transform", "rank", {"reward": NUMBERS}, {}),
        ("combine", "gdpo", {"rewards": TABLE, "group": ["prompt-17"] * SIZE}, {}),
        ("combine", "lexicographic", {"rewards": TABLE}, {"order": LEVELS}),
        ("combine", "barfi", {"primary": NUMBERS, "aux": NUMBERS}, {}),
        ("score", "given_steps", {"values": [[0.0, 0.5, 1.0]] * SIZE}, {}),
    ],
)
def test_a_batch_that_numpy_computes_at_once_goes_to_no_worker(
    kind: str, name: str, columns: dict[str, Any], params: dict[str, Any]
) -> None:
    operation = catalog().get(kind, name)
    assert operation is not None
    checked = operation.params.model_validate(params)
    assert not operation.cost.exceeds_limit(Columns(SIZE, columns), checked)


@pytest.mark.parametrize("column", [np.ones((2, 500)), [[1.0] * 500] * 2, {f"n{i}": np.ones(2) for i in range(500)}])
def test_a_square_cost_counts_columns_of_every_kind(column: Any) -> None:
    cost = Cost(row=0.0, unit=0.0001, square=0.01)
    assert cost.estimate_us(Columns(2, {"column": column}), None) == pytest.approx(2 * 500**2 * 0.01, rel=0.01)
