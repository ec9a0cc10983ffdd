"""combine/heron."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

OP = "combine/heron"


def candidates(*factors: list[float]) -> dict[str, Any]:
    return {"candidates": [{"factors": row} for row in factors]}


EXAMPLE = candidates([5, 0.9], [5.2, 0.1], [4, 0.5])


def test_the_worked_example(call: Any) -> None:
    (result,) = call(OP, EXAMPLE, sigma=[0.5, 0], signs=[1, 1])
    assert result["details"]["pairs"] == [
        {"i": 0, "j": 1, "pref": 1, "level": 2},
        {"i": 0, "j": 2, "pref": 1, "level": 1},
        {"i": 1, "j": 2, "pref": 1, "level": 1},
    ]
    assert result["rewards"] == [2, 1, 0]


def test_without_sigma_any_difference_decides(call: Any) -> None:
    (result,) = call(OP, EXAMPLE)
    assert result["details"]["pairs"][0] == {"i": 0, "j": 1, "pref": -1, "level": 1}


def test_a_sign_flips_a_factor_of_which_less_is_better(call: Any) -> None:
    (result,) = call(OP, candidates([1], [2]), signs=[-1])
    assert result["details"]["pairs"][0]["pref"] == 1


def test_all_levels_equal_is_a_tie_and_one_alone_has_no_pairs(call: Any) -> None:
    tie, one = call(OP, candidates([0.1, 2], [0.1, 2]), candidates([1, 2]), sigma=[1, 1])
    assert tie["details"]["pairs"] == [{"i": 0, "j": 1, "pref": 0, "level": 0}]
    assert tie["rewards"] == [0, 0]
    assert one["details"]["pairs"] == []
    assert one["rewards"] == [0]


def test_the_released_code_reuses_the_second_sigma(call: Any) -> None:
    item = candidates([0, 0, 1], [0, 0, 0])
    sigma = [0, 3, 0]
    assert call(OP, item, sigma=sigma)[0]["details"]["pairs"][0]["pref"] == 1
    assert call(OP, item, sigma=sigma, variant="released")[0]["details"]["pairs"][0]["pref"] == 0


def test_the_released_code_takes_the_standard_deviation_of_the_sample(call: Any) -> None:
    item = candidates([-0.6], [0.2], [0.5], [-2.2], [2.4])  # 0.67 of the population's is 1.0042, of the sample's 1.1227
    (paper,), (released,) = (call(OP, item, sigma=[0.67], variant=variant) for variant in ("paper", "released"))
    assert paper["details"]["pairs"][1] == {"i": 0, "j": 2, "pref": -1, "level": 1}
    assert released["details"]["pairs"][1] == {"i": 0, "j": 2, "pref": 0, "level": 0}


def test_what_cannot_be_compared_is_an_error(call: Any) -> None:
    for broken in call(OP, candidates(), candidates([1, 2], [1, 2]), candidates([1], [1, 2]), sigma=[0]):
        assert broken["error"]["code"] == "invalid_field"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=2), min_size=1, max_size=5),
    st.lists(st.floats(0, 2), min_size=2, max_size=2),
)
def test_antisymmetric_and_wins_add_up(call: Any, factors: list[list[float]], sigma: list[float]) -> None:
    result, reverse = call(OP, candidates(*factors), candidates(*factors[::-1]), sigma=sigma)
    last = len(factors) - 1
    mirrored = {(last - p["j"], last - p["i"]): -p["pref"] for p in reverse["details"]["pairs"]}
    assert sum(result["rewards"]) == sum(p["pref"] != 0 for p in result["details"]["pairs"])
    for pair in result["details"]["pairs"]:
        same = mirrored[pair["i"], pair["j"]]
        assert pair["pref"] == same or abs(sigma[0]) + abs(sigma[1]) > 0  # rounding of the std may move a margin
