"""ART's groups of trajectories, as `gather_trajectory_groups` hands them to `after_each`."""

from types import SimpleNamespace
from typing import Any

import pytest
from reward_gateway.client.adapters.art import score_group

from tests.client.conftest import Service

pytestmark = pytest.mark.anyio

ASKED = {"role": "user", "content": "2 + 2?"}
CALL = {"id": "1", "type": "function", "function": {"name": "add", "arguments": "{}"}}


def walked(*turns: dict[str, Any], **metadata: Any) -> Any:
    """The fields of a trajectory that count here."""
    return SimpleNamespace(messages=lambda: [ASKED, *turns], metadata=metadata, metrics={}, reward=0.0)


def said(text: str | None, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **fields}


def gathered(*trajectories: Any, **metadata: Any) -> Any:
    return SimpleNamespace(trajectories=list(trajectories), metadata=metadata, logs=[])


async def test_the_last_answer_of_a_trajectory_is_scored(service: Service) -> None:
    group = gathered(walked(said("42")), walked(said("No."), ASKED, said("41")), answer="42")
    assert await score_group(group, "right") is group
    assert [one.reward for one in group.trajectories] == [1.0, 0.0]
    assert set(group.trajectories[0].metrics) == {"equal", "brevity"}


async def test_the_words_of_a_tool_are_not_the_answer(service: Service) -> None:
    """A rollout that ran out of turns ends with what the tool said; its answer stands before that."""
    heard = {"role": "tool", "tool_call_id": "1", "content": "41"}
    group = gathered(walked(said("42", tool_calls=[CALL]), heard), walked(said("41", tool_calls=[CALL]), heard))
    group.metadata["answer"] = "42"
    await score_group(group, "right")
    assert [one.reward for one in group.trajectories] == [1.0, 0.0]


async def test_a_trajectory_without_an_answer_leaves_its_group(service: Service) -> None:
    group = gathered(walked(said("42")), walked(), answer="42")
    await score_group(group, "right")
    assert [one.reward for one in group.trajectories] == [1.0]
    assert "missing_field" in group.logs[0]
    assert await score_group(gathered(walked()), "right") is None
