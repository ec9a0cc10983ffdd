"""Rewards within their groups, in the way and with the numbers that the recipe names."""

import numpy as np
import pytest
from reward_gateway.recipes.group import normalize_rewards
from reward_gateway.recipes.schema import GroupSpec

NAMES = ["a", "a", "b", "b"]
REWARD = np.array([1.0, 3.0, 10.0, 10.0])


@pytest.mark.parametrize(
    ("how", "expected"),
    [("none", [1.0, 3.0, 10.0, 10.0]), ("mean", [-1.0, 1.0, 0.0, 0.0]), ("rloo", [-2.0, 2.0, 0.0, 0.0])],
)
def test_each_group_is_compared_with_itself(how: str, expected: list[float]) -> None:
    spec = GroupSpec.model_validate({"normalize": how})
    assert normalize_rewards(spec, NAMES, REWARD, {}).tolist() == expected


def test_the_epsilon_of_the_recipe_is_that_of_its_scores() -> None:
    wide, narrow = (GroupSpec(normalize="zscore", epsilon=epsilon) for epsilon in (1.0, 0.0))
    spread = np.sqrt(2.0)
    np.testing.assert_allclose(
        normalize_rewards(wide, NAMES[:2], REWARD[:2], {}), [-1 / (spread + 1), 1 / (spread + 1)]
    )
    np.testing.assert_allclose(normalize_rewards(narrow, NAMES[:2], REWARD[:2], {}), [-1 / spread, 1 / spread])


def test_components_are_scored_with_the_weights_and_the_epsilon_of_the_recipe() -> None:
    table = {"x": np.array([0.0, 2.0, 0.0, 2.0]), "y": np.array([0.0, 0.0, 4.0, 4.0])}
    names = ["a"] * 4
    plain = normalize_rewards(GroupSpec(normalize="gdpo"), names, REWARD, table)
    wide = normalize_rewards(GroupSpec(normalize="gdpo", epsilon=1.0), names, REWARD, table)
    weighted = normalize_rewards(GroupSpec(normalize="gdpo", weights={"y": 3.0}), names, REWARD, table)
    assert plain[1] == pytest.approx(plain[2], abs=1e-3)
    assert abs(wide[3]) < abs(plain[3]) - 0.1
    assert weighted[2] > weighted[1]
