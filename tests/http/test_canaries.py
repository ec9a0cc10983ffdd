"""Requests whose samples a recipe and its canary score, each its groups."""

from typing import Any

from .conftest import Serve

RECIPES = """
rewards:
  r:
    components: {quality: {score: letters}}
    canary: {recipe: doubled, weight: %s}
  doubled:
    components: {quality: {score: letters, transforms: [{affine: {scale: 2.0}}]}}
  compared:
    components: {quality: {score: letters}}
    group: {normalize: mean}
    canary: {recipe: compared_doubled, weight: %s}
  compared_doubled:
    components: {quality: {score: letters, transforms: [{affine: {scale: 2.0}}]}}
    group: {normalize: mean}
  seen:
    components: {quality: {score: letters}}
    canary: {recipe: checked, weight: %s}
  checked:
    components: {quality: {score: exact_match}}
default: r
"""


def write(weight: float) -> str:
    return RECIPES % (weight, weight, weight)


def ask(reward: str, groups: int, size: int = 4) -> dict[str, Any]:
    samples = [
        {"prompt": f"prompt {group}", "response": "a" * (number + 1)}
        for group in range(groups)
        for number in range(size)
    ]
    return {"reward": reward, "samples": samples}


async def test_each_group_is_scored_by_one_version_and_every_sample_says_by_which(serve: Serve) -> None:
    async with serve(recipes=write(0.5)) as served:
        listed = {each["name"]: each for each in (await served.client.get("/v1/rewards")).json()["rewards"]}
        old, new = listed["r"]["version"], listed["doubled"]["version"]
        body = (await served.score(ask("r", 16))).json()
        versions = [result["recipe_version"] for result in body["results"]]
        groups = [versions[start : start + 4] for start in range(0, 64, 4)]
        assert {len(set(group)) for group in groups} == {1}
        assert {group[0] for group in groups} == {old, new}
        factors = {old: 1.0, new: 2.0}
        lengths = [number + 1 for _ in range(16) for number in range(4)]
        assert [result["reward"] for result in body["results"]] == [
            factors[version] * length for version, length in zip(versions, lengths, strict=True)
        ]
        assert body["recipe_version"] == old
        assert body["usage"]["samples"] == 64
        again = (await served.score(ask("r", 16))).json()
        assert [result["recipe_version"] for result in again["results"]] == versions


async def test_a_weight_of_nothing_and_of_all_score_by_one_version(serve: Serve) -> None:
    rewards = {}
    for weight in (0, 1):
        async with serve(recipes=write(weight)) as served:
            body = (await served.score(ask("r", 4))).json()
            rewards[weight] = [result["reward"] for result in body["results"]]
            assert {result["recipe_version"] for result in body["results"]} == {body["recipe_version"]}
    assert rewards[1] == [2 * reward for reward in rewards[0]]


async def test_a_recipe_without_a_canary_answers_as_before(serve: Serve) -> None:
    async with serve(recipes=write(0.5)) as served:
        (result,) = (await served.score({"reward": "doubled", "samples": ask("r", 1, 1)["samples"]})).json()["results"]
        assert "recipe_version" not in result


async def test_groups_are_compared_within_their_version(serve: Serve) -> None:
    async with serve(recipes=write(0.5)) as served:
        body = (await served.score(ask("compared", 16))).json()
        rewards = [result["reward"] for result in body["results"]]
        plain = [-1.5, -0.5, 0.5, 1.5]
        groups = [rewards[start : start + 4] for start in range(0, 64, 4)]
        assert all(group in (plain, [2 * number for number in plain]) for group in groups)
        assert len({tuple(group) for group in groups}) == 2
        assert len(body["groups"]) == 16
        assert {stats["n"] for stats in body["groups"].values()} == {4}


async def test_the_metrics_tell_the_versions_apart(serve: Serve) -> None:
    async with serve(recipes=write(0.5)) as served:
        await served.score(ask("r", 16))
        counted = [await served.metric(f'reward_gateway_samples_total{{reward="{name}"') for name in ("r", "doubled")]
        assert min(counted) > 0
        assert sum(counted) == 64


async def test_what_the_canary_lacks_fails_its_groups_only(serve: Serve) -> None:
    async with serve(recipes=write(0.5)) as served:
        results = (await served.score(ask("seen", 16))).json()["results"]
        assert {result["valid"] for result in results} == {True, False}
        assert {result["error"]["code"] for result in results if not result["valid"]} == {"missing_field"}
