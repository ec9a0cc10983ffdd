"""Rewards within their groups, in the way and with the numbers that the recipe names."""

import math

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from reward_gateway.operations.registry import catalog
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


def test_the_eps_of_the_recipe_is_that_of_its_scores() -> None:
    wide, narrow = (GroupSpec(normalize="zscore", eps=eps) for eps in (1.0, 0.0))
    spread = np.sqrt(2.0)
    np.testing.assert_allclose(
        normalize_rewards(wide, NAMES[:2], REWARD[:2], {}), [-1 / (spread + 1), 1 / (spread + 1)]
    )
    np.testing.assert_allclose(normalize_rewards(narrow, NAMES[:2], REWARD[:2], {}), [-1 / spread, 1 / spread])


def test_eps_is_that_of_the_operations_and_epsilon_is_its_older_name() -> None:
    transforms = [catalog().get("transform", name) for name in ("group_normalise", "zscore", "running_normalise")]
    defaults = [operation.params.model_fields["eps"].default for operation in transforms if operation is not None]
    assert [GroupSpec().eps, *defaults] == [1e-6] * 4
    assert GroupSpec.model_validate({"epsilon": 1e-4}) == GroupSpec(eps=1e-4)
    with pytest.raises(ValidationError, match="epsilon"):
        GroupSpec.model_validate({"eps": 1e-4, "epsilon": 1e-4})
    check = Draft202012Validator(GroupSpec.model_json_schema())
    assert [check.is_valid({name: 1e-4}) for name in ("eps", "epsilon", "other")] == [True, True, False]


def test_rere_keeps_its_authors_eps() -> None:
    rere = catalog().get("score", "rere")
    assert rere is not None
    assert rere.params.model_fields["epsilon"].default == 1e-4


def test_components_are_scored_with_the_weights_and_the_eps_of_the_recipe() -> None:
    table = {"x": np.array([0.0, 2.0, 0.0, 2.0]), "y": np.array([0.0, 0.0, 4.0, 4.0])}
    names = ["a"] * 4
    plain = normalize_rewards(GroupSpec(normalize="gdpo"), names, REWARD, table)
    wide = normalize_rewards(GroupSpec(normalize="gdpo", eps=1.0), names, REWARD, table)
    weighted = normalize_rewards(GroupSpec(normalize="gdpo", weights={"y": 3.0}), names, REWARD, table)
    assert plain[1] == pytest.approx(plain[2], abs=1e-3)
    assert plain[3] == pytest.approx(math.sqrt(1.5), abs=1e-12)  # nothing is added unless the recipe says eps
    assert abs(wide[3]) < abs(plain[3]) - 0.1
    assert weighted[2] > weighted[1]
