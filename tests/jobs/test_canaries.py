"""Jobs of a recipe with a canary."""

import asyncio
from typing import Any

from reward_gateway.recipes.book import load_book

from .conftest import Served

RECIPES = """
rewards:
  r:
    components: {length: {score: length}}
    canary: {recipe: doubled, weight: %s}
  doubled:
    components: {length: {score: length, transforms: [{affine: {scale: 2.0}}]}}
"""


def set_weight(served: Served, weight: float) -> None:
    served.gateway.book = load_book(RECIPES % weight, served.gateway.runtime.known_models())


def make_job() -> dict[str, Any]:
    samples = [{"prompt": f"prompt {number}", "response": "a"} for number in range(32)]
    return {"reward": "r", "samples": samples}


async def test_a_job_is_scored_by_the_versions_that_a_request_would_be(served: Served) -> None:
    set_weight(served, 0.5)
    job = await served.finish((await served.submit(make_job()))["job"])
    assert {row["reward"] for row in job["results"]} == {1.0, 2.0}
    assert {row["recipe_version"] for row in job["results"] if row["reward"] == 1.0} == {job["recipe_version"]}
    assert len({row["recipe_version"] for row in job["results"]}) == 2


async def test_a_job_keeps_the_weight_of_its_submission(served: Served) -> None:
    set_weight(served, 0.0)
    served.models.gate.shut()
    held = (await served.submit(make_job()))["job"]
    await asyncio.sleep(0)
    set_weight(served, 1.0)
    new = (await served.submit(make_job()))["job"]
    served.models.gate.open()
    assert {row["reward"] for row in (await served.finish(held))["results"]} == {1.0}
    assert {row["reward"] for row in (await served.finish(new))["results"]} == {2.0}
