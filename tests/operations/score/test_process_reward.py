"""score/process_reward: a number for each step, or a reason; never a number for a step that was not judged."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import ScoreSteps, Vector
from reward_gateway.operations.registry import catalog
from reward_gateway.sample import Invalid

LONG = Invalid("too_large", "The text has more than 256 tokens.")


def run(
    items: Sequence[Mapping[str, Any]], *answers: Vector | Invalid
) -> tuple[list[dict[str, Any]], ScoreSteps | None]:
    """What the items get where the model answers so, and what it was asked."""
    operation = catalog().get("score", "process_reward")
    assert operation is not None
    steps = apply(operation, [dict(item) for item in items], {"model": "prm"})
    asked: ScoreSteps | None = None
    try:
        need = next(steps)
        assert isinstance(need, ScoreSteps)
        asked = need
        steps.send(list(answers))
    except StopIteration as stop:
        return list(stop.value), asked
    raise AssertionError("it asks for more")


def judged(*numbers: float, flags: tuple[str, ...] = ()) -> Vector:
    return Vector(np.array(numbers), flags, "1-abc")


def test_answers_are_put_to_the_model_whole_or_as_they_are_cut() -> None:
    chat = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    items: list[Mapping[str, Any]] = [
        {"prompt": "q", "response": "One.\n\nTwo."},
        {"prompt": "q", "steps": ["One.", "Two."]},
        {"messages": chat},
        {"messages": chat, "steps": ["S", "o."]},
        {"messages": chat[1:]},
    ]
    results, need = run(items, judged(0.5, 0.25), judged(0.75, 1.0), judged(0.125), judged(0.5, 0.0), judged(0.75))
    assert need is not None
    assert (need.model, need.batch.prompts) == ("prm", ["q", "q", chat[:1], chat[:1], ""])
    assert need.batch.responses == ["One.\n\nTwo.", "One.\n\nTwo.", "So.", "So.", "So."]
    assert need.batch.steps == [None, ["One.", "Two."], None, ["S", "o."], None]
    assert [result["rewards"] for result in results] == [[0.5, 0.25], [0.75, 1.0], [0.125], [0.5, 0.0], [0.75]]
    assert results[0]["details"]["model_version"] == "1-abc"


def test_a_step_that_was_not_judged_is_the_item_s_error_and_leaves_its_neighbours_alone() -> None:
    items: list[Mapping[str, Any]] = [{"steps": ["One.", "Two."]}, {"response": "Long."}, {"response": "One.\n\nTwo."}]
    cut, refused, flagged = run(items, judged(0.5), LONG, judged(0.5, flags=("truncated",)))[0]
    assert "1 of 2 steps" in cut["error"]["message"]
    assert cut["reward"] is refused["reward"] is None
    assert refused["error"]["code"] == "too_large"
    assert (flagged["rewards"], flagged["details"]["flags"]) == ([0.5], ["truncated"])


def test_what_cannot_be_asked_is_told_and_not_asked() -> None:
    question = [{"role": "user", "content": "Why?"}]
    items: list[dict[str, Any]] = [
        {"prompt": "q"},
        {"steps": []},
        {"steps": ["One.", " "]},
        {"messages": question},
        {"step_scores": [0.5]},
    ]
    results, need = run(items)
    assert need is None
    assert [result["error"] and result["error"]["code"] for result in results] == ["invalid_field"] * 4 + [None]
    assert results[4]["rewards"] == [0.5]
