"""A name that is not known is answered with the one that was meant, or with those that there are."""

import pytest
from reward_gateway.recipes.suggestions import did_you_mean


@pytest.mark.parametrize("name", ["lenght_penalty", "LENGTH_PENALTY", "length-penalty"])
def test_a_similar_name_is_offered_as_it_is_written(name: str) -> None:
    assert did_you_mean(name, ["Length_Penalty", "other"]) == "; did you mean 'Length_Penalty'?"


def test_the_most_similar_one_is_offered() -> None:
    assert did_you_mean("rewarb", ["rewards", "reward", "regard"]) == "; did you mean 'reward'?"


def test_where_none_is_similar_a_few_are_listed_in_order_and_many_are_counted() -> None:
    twelve = [f"{letter}{letter}" for letter in "lkjihgfedcba"]
    assert did_you_mean("xyz", twelve) == f"; there are: {', '.join(sorted(twelve))}"
    assert did_you_mean("xyz", [*twelve, "mm"]) == "; there are 13 others"
    assert did_you_mean("xyz", []) == "; there are: none"
