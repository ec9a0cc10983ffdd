"""A canary in a recipe file: what it stands for, what is refused, and which groups it scores."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from reward_gateway.errors import InvalidRecipe
from reward_gateway.recipes.book import RecipeBook, load_book
from reward_gateway.recipes.canaries import choose_rows
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.recipes.plan import Canary
from reward_gateway.sample import Batch

READS = ("prompt", "response")
KNOWN = {"old": KnownModel(READS), "new": KnownModel(READS)}

FILE = """
rewards:
  r:
    components: {quality: {score: old}}
    canary: %s
  next:
    components: {quality: {score: new}}
  scaled:
    components: {quality: {score: old, transforms: [{sigmoid: {}}]}}
  ranged:
    components: {quality: {score: exact_match}}
  compared:
    components: {quality: {score: old}}
    group: {normalize: mean}
  nested:
    components: {quality: {score: old}}
    canary: {recipe: next, weight: 0.5}
"""


def load(canary: str) -> RecipeBook:
    return load_book(FILE % canary, KNOWN)


def find_faults(canary: str) -> list[Mapping[str, str]]:
    with pytest.raises(InvalidRecipe) as refused:
        load(canary)
    return list(refused.value.faults)


def test_a_recipe_of_the_file_is_the_new_version() -> None:
    book = load("{recipe: next, weight: 0.25}")
    canary = book.get("r").canary
    assert canary is not None
    assert canary.plan is book.get("next")
    summary = book.get("r").summary()
    assert summary["canary"] == {"recipe": "next", "version": book.get("next").version, "weight": 0.25}


def test_another_model_makes_a_recipe_that_is_listed() -> None:
    book = load("{models: {old: new}, weight: 0.25}")
    assert list(book.get("r.canary").models) == ["new"]
    assert book.get("r").models == book.get("scaled").models
    assert book.get("r.canary").version == book.get("next").version


def test_the_weight_is_no_part_of_the_version() -> None:
    versions = {load(f"{{recipe: next, weight: {weight}}}").get("r").version for weight in (0, 0.5, 1)}
    assert versions == {load_book(FILE.replace("    canary: %s\n", ""), KNOWN).get("r").version}


@pytest.mark.parametrize(
    ("canary", "path", "words"),
    [
        ("{weight: 0.5}", "rewards.r.canary", "name the new version"),
        ("{recipe: next, models: {old: new}, weight: 0.5}", "rewards.r.canary", "name the new version"),
        ("{recipe: next, weight: 1.5}", "rewards.r.canary.weight", "less than or equal to 1"),
        ("{recipe: nxt, weight: 0.5}", "rewards.r.canary.recipe", "next"),
        ("{recipe: r, weight: 0.5}", "rewards.r.canary.recipe", "itself"),
        ("{recipe: nested, weight: 0.5}", "rewards.r.canary.recipe", "has a canary itself"),
        ("{recipe: compared, weight: 0.5}", "rewards.r.canary.recipe", "give both the same `group`"),
        ("{models: {olt: new}, weight: 0.5}", "rewards.r.canary.models", "did you mean"),
        ("{models: {old: old}, weight: 0.5}", "rewards.r.canary.models", "by itself"),
        ("{models: {old: elsewhere}, weight: 0.5}", "rewards.r.canary.models", "elsewhere"),
    ],
)
def test_what_cannot_be_a_canary_is_refused_at_its_place(canary: str, path: str, words: str) -> None:
    fault = find_faults(canary)[0]
    assert fault["path"] == path
    assert words in fault["message"]
    assert fault["place"].startswith("line 5")


def test_a_change_that_a_trainer_may_notice_is_a_warning() -> None:
    told = [each["message"] for each in load("{recipe: ranged, weight: 0.5}").warnings if "canary" in each["path"]]
    assert any("needs reference" in message for message in told)


def test_the_setting_has_the_last_word() -> None:
    book = load("{recipe: next, weight: 0.25}").with_weights({"r": 0.75})
    assert book.get("r").summary()["canary"]["weight"] == 0.75
    assert book.get("nested").summary()["canary"]["weight"] == 0.5


@pytest.mark.parametrize(
    ("weights", "words"),
    [({"q": 0.5}, "there is no reward 'q'"), ({"next": 0.5}, "has no `canary:`"), ({"r": 2.0}, "no weight")],
)
def test_a_weight_of_no_canary_is_refused(weights: dict[str, float], words: str) -> None:
    with pytest.raises(InvalidRecipe, match="canary_weights") as refused:
        load("{recipe: next, weight: 0.25}").with_weights(weights)
    assert words in refused.value.message


def make_groups(count: int, size: int = 1) -> Batch:
    prompts: Any = [f"prompt {number}" for number in range(count) for _ in range(size)]
    return Batch(ids=[str(i) for i in range(len(prompts))], prompts=prompts, responses=["a"] * len(prompts))


def choose(weight: float, batch: Batch) -> set[int]:
    plan = load("{recipe: next, weight: 0.5}").get("next")
    return set(choose_rows("r", Canary(plan, weight), batch))


def test_a_larger_weight_adds_groups_and_takes_none_back() -> None:
    batch = make_groups(400)
    chosen = [choose(weight, batch) for weight in (0.0, 0.1, 0.3, 0.6, 1.0)]
    assert chosen[0] == set()
    assert chosen[-1] == set(range(400))
    assert all(less < more for less, more in pairwise(chosen))
    assert [len(rows) / 400 for rows in chosen] == pytest.approx([0.0, 0.1, 0.3, 0.6, 1.0], abs=0.08)


def test_a_group_is_never_torn_apart() -> None:
    chosen = choose(0.5, make_groups(50, size=8))
    assert {len(chosen & set(range(8 * group, 8 * group + 8))) for group in range(50)} == {0, 8}


def test_a_sample_stays_with_its_version_in_any_company() -> None:
    batch = make_groups(64)
    alone = {row for row in range(64) if choose(0.5, batch.select([row]))}
    assert alone == choose(0.5, batch)
