"""score/frame_progress: an episode becomes pairs of its first frame and each, and its failures stay with it."""

import base64
from typing import Any

import numpy as np
import pytest
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import ScoreWithModel
from reward_gateway.operations.registry import catalog
from reward_gateway.sample import Invalid, RawScores

OP = "score/frame_progress"
FRAMES = [base64.b64encode(word).decode() for word in (b"start", b"halfway", b"end")]


def asked(items: list[dict[str, Any]]) -> Any:
    operation = catalog().get("score", "frame_progress")
    assert operation is not None
    return apply(operation, items, {"model": "mine"})


def said(values: list[list[float]], **more: Any) -> RawScores:
    return RawScores(np.array(values), "mine", "7", np.zeros(len(values), dtype=bool), **more)


def finished(steps: Any, answer: RawScores) -> list[dict[str, Any]]:
    try:
        steps.send(answer)
    except StopIteration as stop:
        results: list[dict[str, Any]] = stop.value
        return results
    raise AssertionError("it asks for more")


def test_the_model_sees_the_first_frame_and_each_and_the_episode_gets_a_value_a_frame() -> None:
    steps = asked(
        [{"prompt": "open", "frames": FRAMES}, {"progress": [0.3]}, {"prompt": "close", "frames": FRAMES[:1]}]
    )
    need = next(steps)
    assert isinstance(need, ScoreWithModel)
    assert need.model == "mine"
    assert need.batch.prompts == ["open", "open", "open", "close"]
    shown = [[frame.data for frame in pair] for pair in need.batch.frames or ()]
    assert shown == [[b"start", b"start"], [b"start", b"halfway"], [b"start", b"end"], [b"start", b"start"]]
    answer = said([[0.1, 0.0], [0.5, 0.2], [0.9, 0.8], [0.2, 0.1]], flags={3: ("out_of_distribution",)})
    first, given, last = finished(steps, answer)
    assert first["rewards"] == pytest.approx([0.1, 0.5, 0.9])
    assert first["details"] == {"success": [0.0, 0.2, 0.8], "model_version": "7"}
    assert given["rewards"] == [0.3]
    assert last["details"]["flags"] == ["out_of_distribution"]


def test_a_frame_that_cannot_be_scored_takes_its_episode_and_no_other() -> None:
    steps = asked([{"prompt": "open", "frames": FRAMES[:2]}, {"prompt": "open", "frames": FRAMES[2:]}])
    next(steps)
    broken = {1: Invalid("invalid_media", "An image is broken or cut short.")}
    first, second = finished(steps, said([[0.1], [np.nan], [0.9]], invalid=broken))
    assert first["error"]["code"] == "invalid_media"
    assert second["rewards"] == pytest.approx([0.9])


@pytest.mark.parametrize("item", [{}, {"prompt": "open"}, {"prompt": "open", "frames": []}, {"frames": FRAMES}])
def test_an_episode_needs_an_instruction_and_frames(call: Any, item: dict[str, Any]) -> None:
    (result,) = call(OP, item)
    assert result["error"]["code"] == "invalid_field"


@pytest.mark.parametrize("frame", ["", "no base64!"])
def test_a_frame_that_is_not_base64_is_said_to_be_so(call: Any, frame: str) -> None:
    (result,) = call(OP, {"prompt": "open", "frames": [frame]})
    assert result["error"]["code"] == "invalid_field"
