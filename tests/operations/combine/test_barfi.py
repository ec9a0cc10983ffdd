"""combine/barfi (2310.19007)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest

OP = "combine/barfi"
NUMBERS = st.floats(-1e4, 1e4)


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, {"primary": 1, "aux": -0.4, "residual": 0.1}, phi=[1, 0.5], version="v3")
    assert result["reward"] == pytest.approx(0.9)
    assert result["details"] == {"phi": [1, 0.5], "version": "v3"}


def test_the_default_is_the_naive_sum(call: Any) -> None:
    assert call(OP, {"primary": 1, "aux": -0.4})[0]["reward"] == pytest.approx(0.6)


def test_a_missing_auxiliary_is_an_error_unless_its_weight_is_zero(call: Any) -> None:
    missing, fine = call(OP, {"primary": 1}, {"primary": 1, "aux": 2})
    assert missing["error"]["param"] == "aux"
    assert fine["reward"] == 3
    assert call(OP, {"primary": 1}, phi=[2, 0])[0]["reward"] == 2


def test_trajectories_blend_element_by_element(call: Any) -> None:
    good, broadcast, unequal, missing, scalar = call(
        OP,
        {"primary": [1, 2], "aux": [3, 4]},
        {"primary": [1, 2], "aux": 1.0, "residual": [0.5, 0]},
        {"primary": [1, 2], "aux": [3]},
        {"primary": [1, 2]},
        {"primary": 1, "aux": 1},
        phi=[1, 0.5],
    )
    assert good["rewards"] == [2.5, 4.0]
    assert broadcast["rewards"] == [2.0, 2.5]
    assert unequal["error"]["code"] == missing["error"]["code"] == "invalid_field"
    assert scalar["reward"] == 1.5


@pytest.mark.parametrize("phi", [[1], [1, 2, 3], [float("nan"), 1]])
def test_weights_that_cannot_work_refuse_the_request(call: Any, phi: list[float]) -> None:
    with pytest.raises(InvalidRequest):
        call(OP, {"primary": 1, "aux": 1}, phi=phi)


@settings(max_examples=40, deadline=None)
@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_linear_in_the_weights(call: Any, primary: float, aux: float, a: float, b: float) -> None:
    item = {"primary": primary, "aux": aux}
    parts = [call(OP, item, phi=phi)[0]["reward"] for phi in ([a, 0], [0, b], [a, b])]
    assert parts[2] == pytest.approx(parts[0] + parts[1], rel=1e-9, abs=1e-6)


def test_a_list_beside_a_plain_primary_is_blended_element_by_element(call: Any) -> None:
    (blended, empty) = call(
        "combine/barfi", {"primary": 1, "aux": [1, 2]}, {"primary": [1, 2], "aux": []}, phi=[1, 0.5]
    )
    assert blended["rewards"] == pytest.approx([1.5, 2.0])
    assert "one length" in empty["error"]["message"]
