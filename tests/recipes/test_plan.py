"""recipes/plan.py: what a compiled recipe says of itself."""

import pytest
from reward_gateway.recipes.book import load_book

COMPONENTS = "a: {score: length_penalty}, b: {score: length_penalty}, c: {score: length_penalty}"


@pytest.mark.parametrize(
    ("combine", "members"),
    [
        ("{ensemble: {over: [a, b], how: mean_minus_std}, then: {add: [c]}}", ("a", "b")),
        ("{weighted_sum: {over: [a, b]}, then: {add: [c]}}", ()),
    ],
)
def test_the_members_of_an_ensemble_are_those_that_it_is_combined_over(combine: str, members: tuple[str, ...]) -> None:
    book = load_book(f"rewards: {{r: {{components: {{{COMPONENTS}}}, combine: {combine}}}}}", {})
    assert book.get("r").ensemble == members


def test_a_recipe_of_one_component_has_no_ensemble() -> None:
    assert load_book("rewards: {r: {components: {a: {score: length_penalty}}}}", {}).get("r").ensemble == ()
