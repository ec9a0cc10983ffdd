"""ART's RULER: a group of trajectories is put to our service as to a judge, in one prompt."""

import asyncio

import art
from art.rewards import ruler_score_group
from run import Call

PACKAGE = "openpipe-art"


def score(call: Call) -> list[float | None]:
    return asyncio.run(_score(call))


async def _score(call: Call) -> list[float | None]:
    trajectories = [
        art.Trajectory(
            messages_and_choices=[
                {"role": "user", "content": sample["prompt"]},
                {"role": "assistant", "content": sample["response"]},
            ]
        )
        for sample in call.samples
    ]
    judge = {"api_base": f"{call.url}/v1", "api_key": "KEY", "max_retries": 0}
    group = await ruler_score_group(art.TrajectoryGroup(trajectories), f"openai/{call.recipe}", judge)
    assert group is not None
    return [trajectory.reward for trajectory in group.trajectories]
