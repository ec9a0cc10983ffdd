"""ART: groups gathered with our function after each."""

import asyncio

import art
from reward_gateway.client.adapters.art import score_group
from run import Call

PACKAGE = "openpipe-art"


def score(call: Call) -> list[float | None]:
    return asyncio.run(_score(call))


async def _score(call: Call) -> list[float | None]:
    async def rollout(place: int) -> art.Trajectory:
        sample = call.samples[place]
        turns = [{"role": "user", "content": sample["prompt"]}, {"role": "assistant", "content": sample["response"]}]
        return art.Trajectory(messages_and_choices=turns, metadata={"answer": sample.get("reference"), "place": place})

    group = art.TrajectoryGroup(rollout(place) for place in range(len(call.samples)))
    groups = await art.gather_trajectory_groups([group], after_each=lambda one: score_group(one, call.recipe))
    rewards = {one.metadata["place"]: one.reward for group in groups for one in group.trajectories}
    return [rewards.get(place) for place in range(len(call.samples))]
