"""ART (OpenPipe): the rewards of a group of trajectories.

    from reward_gateway.client.adapters.art import score_group
    groups = await art.gather_trajectory_groups(…, after_each=score_group)      # RECIPE by REWARD_GATEWAY_REWARD, or
    groups = await art.gather_trajectory_groups(…, after_each=lambda group: score_group(group, "RECIPE"))

A trajectory's messages up to its last answer are the prompt, that answer is the response (what a tool said after it is
left out); the reference is ``reference``, ``ground_truth``, ``answer`` or ``solution`` of its metadata or the group's.
The group goes out in one request, under one ``group``, so that recipes which compare its members can. Trajectories
without a score leave the group, with the reason in its log: their 0.0 would be trained on. A group of which nothing is
scored is None, which ART leaves out; a service that stays away longer than ``timeout_s`` (120) raises.
"""

import uuid
from typing import Any

from reward_gateway.client.adapters.rows import REFERENCES, make_sample
from reward_gateway.client.adapters.service import Service, explain_failure, optional_number


async def score_group(
    group: Any,
    recipe: str | None = None,
    url: str | None = None,
    api_key: str | None = None,
    timeout_s: float | None = None,
) -> Any:
    """The group with the rewards, and the recipe's components among the metrics; None where there are none.

    Raises:
        GatewayError: there is no answer.
    """
    name = uuid.uuid4().hex
    samples = [_read_sample(trajectory, group.metadata, name) for trajectory in group.trajectories]
    scored = await Service.of(url, recipe, api_key, timeout_s).score_soon(samples)
    kept = []
    for trajectory, one in zip(group.trajectories, scored, strict=True):
        if (number := optional_number(one)) is None:
            group.logs.append(f"a trajectory was left out: {explain_failure(one)}")
            continue
        trajectory.reward = number
        trajectory.metrics.update(one.components)
        kept.append(trajectory)
    group.trajectories = kept
    return group if kept else None


def _read_sample(trajectory: Any, shared: Any, group: str) -> dict[str, Any]:
    messages = trajectory.messages()
    facts = {**shared, **trajectory.metadata}
    reference = next((facts[name] for name in REFERENCES if facts.get(name) is not None), None)
    answer = next((i for i in range(len(messages) - 1, -1, -1) if messages[i]["role"] == "assistant"), len(messages))
    return make_sample(messages[:answer], messages[answer : answer + 1] or None, reference, group=group, rows=[facts])
