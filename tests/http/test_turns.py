"""Vector rewards of conversations over HTTP: one entry for each of the assistant's turns."""

from typing import Any

import pytest

from tests.http.conftest import Serve

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  renorm:
    components:
      outcome: {score: exact_match, params: {answer_only: true}}
      process: {score: given_steps, inputs: {values: {feature: process}}}
    credit: renorm
"""
TURNS = [
    {"role": "assistant", "content": "I search."},
    {"role": "tool", "content": "<answer>Lyon</answer>"},
    {"role": "assistant", "content": "I search again."},
    {"role": "tool", "content": "nothing"},
    {"role": "assistant", "content": "<answer>Paris</answer>"},
]


async def test_three_turns_have_three_rewards_whether_numbers_are_by_turn_or_by_message(serve: Serve) -> None:
    def sample(*process: float, response: Any = TURNS) -> dict[str, Any]:
        return {"prompt": "p", "response": response, "reference": "Paris", "features": {"process": list(process)}}

    text = sample(0.5, 0.25, response="<answer>Paris</answer>")
    samples = [sample(0.5, 0.25), sample(0.5, 0.9, 0.25, 0.9), sample(0.5, 0.9, 0.25, 0.9, 1.0), sample(0.5), text]
    async with serve(recipes=RECIPES) as served:
        answer = (await served.score({"reward": "renorm", "samples": samples})).json()["results"]
    assert [result["rewards"] for result in answer] == [[0.5, 0.25, 1.0]] * 3 + [None, [0.5, 0.25, 1.0]]
    refused = answer[3]
    assert (refused["valid"], refused["reward"], refused["error"]["code"]) == (False, None, "invalid_field")
    assert "features.process" in refused["error"]["message"]
