"""Reasoning is no answer and several answers may be accepted, whoever asks and however."""

from collections.abc import Callable
from typing import Any

import pytest

from .test_nemo_gym import row as nemo_row
from .test_nova import row as nova_row
from .test_vertex import asked as ask_vertex

pytestmark = pytest.mark.anyio

PROMPT = "2 + 2?"


def requests(response: str, accepted: list[Any]) -> dict[str, tuple[str, Any, Callable[[Any], Any]]]:
    """By dialect: path, body, and where the reward stands."""
    turns = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": response}]
    return {
        "our own": (
            "/v1/score",
            {"reward": "share", "samples": [{"prompt": PROMPT, "response": response, "reference": accepted}]},
            lambda body: body["results"][0]["reward"],
        ),
        "our own, with turns": (
            "/v1/score",
            {
                "reward": "share",
                "samples": [
                    {
                        "prompt": PROMPT,
                        "response": [
                            {"role": "assistant", "content": "I will look."},
                            {"role": "tool", "content": "five"},
                            turns[1],
                        ],
                        "reference": accepted,
                    }
                ],
            },
            lambda body: body["results"][0]["reward"],
        ),
        "openrlhf": (
            "/get_reward?reward=share",
            {"query": [PROMPT + response], "prompts": [PROMPT], "labels": [accepted]},
            lambda body: body["rewards"][0],
        ),
        "slime": (
            "/rm?reward=share",
            {"prompt": PROMPT, "response": response, "label": accepted},
            lambda body: body,
        ),
        "nemo_gym": (
            "/verify?reward=share",
            nemo_row(PROMPT, response, expected_answer=accepted),
            lambda body: body["reward"],
        ),
        "vertex": (
            "/vertex?reward=share",
            ask_vertex(PROMPT, response, references={"answer": accepted}),
            lambda body: body["reward"],
        ),
        "nova": (
            "/nova?reward=share",
            [nova_row("a", PROMPT, response, reference_answer=accepted)],
            lambda body: body[0]["aggregate_reward_score"],
        ),
        "reward-kit": (
            "/reward?reward=share",
            {"messages": turns, "ground_truth": accepted},
            lambda body: body["score"],
        ),
        "xtuner": (
            "/xtuner?reward=share",
            {"response": response, "label": accepted, "extra_info": {}},
            lambda body: body["score"],
        ),
    }


@pytest.mark.parametrize(
    ("response", "accepted", "reward"),
    [
        ("four", ["four", "4"], 1.0),
        ("4", ["four", "4"], 1.0),
        ("4", ["four", 4], 1.0),
        ("five", ["four", "4"], 0.0),
        ('["four", "4"]', ["four", "4"], 0.0),
        ("<think>\nIt may be five.\n</think>\n4", ["four", "4"], 1.0),
        ("It may be five.\n</think>\n4", ["four", "4"], 1.0),
        ("[THINK]five[/THINK]four", ["four", "4"], 1.0),
        ("<think>\n4\n</think>\nfive", ["four", "4"], 0.0),
        ("<think>\n4", ["four", "<think>\n4"], 0.0),
    ],
)
async def test_the_answer_is_the_final_text_and_the_best_reference_counts(
    http: Any, response: str, accepted: list[Any], reward: float
) -> None:
    given = {
        name: number(await http.ok(path, body)) for name, (path, body, number) in requests(response, accepted).items()
    }
    assert given == dict.fromkeys(given, reward)
