"""Each sample of a mixed data set by its own scorer: entries read what the caller's rows say as their metadata."""

from typing import Any

import pytest

from .test_nova import row

pytestmark = pytest.mark.anyio

TASKS = [("math", "42", "42", 1.0), ("words", None, "one two", -2.0)]
"""Name, reference, response, and the reward by the scorer of that name."""


async def test_nova(http: Any) -> None:
    told = [{"metadata": {"reference_answer": answer, "task": task}} for task, answer, _, _ in TASKS]
    rows = [row("1", "p", said, **told[k]) for k, (_, _, said, _) in enumerate(TASKS)]
    rows += [row("2", "p", said, reference_answer=answer, task=task) for task, answer, said, _ in TASKS]
    found = await http.ok("/nova?reward=mixed", rows)
    assert [each["aggregate_reward_score"] for each in found] == [1.0, -2.0] * 2


@pytest.mark.parametrize("path", ["/nemo_gym/verify", "/axolotl/verify"])
@pytest.mark.parametrize("holder", [None, "verifier_metadata"])
async def test_nemo_gym(http: Any, path: str, holder: str | None) -> None:
    for task, answer, said, reward in TASKS:
        told = {"task": task} if holder is None else {holder: {"task": task}}
        text = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": said}]}
        params, output = {"input": [{"role": "user", "content": "p"}]}, {"output": [text]}
        body = {"responses_create_params": params, "response": output, "expected_answer": answer, **told}
        assert (await http.ok(f"/r/mixed{path}", body))["reward"] == reward


async def test_xtuner(http: Any) -> None:
    for task, answer, said, reward in TASKS:
        body = {"response": said, "label": answer, "extra_info": {"task": task}}
        assert await http.ok("/xtuner?reward=mixed", body) == {"score": reward}


async def test_vertex(http: Any) -> None:
    for task, answer, said, reward in TASKS:
        example: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "p"}]}]}
        example["references"] = {"answer": answer, "task": task} if answer else {"task": task, "answer": ""}
        body = {"example": example, "response": {"parts": [{"text": said}]}, "metadata": {"step": 1}}
        assert (await http.ok("/vertex?reward=mixed&clip=1", body))["reward"] == max(reward, -1.0)


async def test_roll(http: Any) -> None:
    for task, answer, said, reward in TASKS:
        info = {"ground_truth": answer, "task": task}
        token = await http.ok("/roll/submit?reward=mixed", {"prompt": "p", "response": said, "reward_info": info})
        found = await http.ok("/roll/result", {"reward_request_id": token["reward_request_id"]})
        assert found["reward_score"] == reward


async def test_reward_kit(http: Any) -> None:
    for task, answer, said, reward in TASKS:
        messages = [{"role": "user", "content": "p"}, {"role": "assistant", "content": said}]
        body = {"messages": messages, "ground_truth": answer, "kwargs": {"task": task}}
        assert (await http.ok("/evaluate?reward=mixed", body))["score"] == reward


async def test_unirl(http: Any) -> None:
    asked = [
        {"history": [{"text": "p"}], "metadata": {"task": task}, "required_rewards": ["routed_prompts"]}
        for task in ("known", "unknown")
    ]
    found = await http.ok("/unirl/score", {"requests": asked})
    assert found["results"][0] == {"routed_prompts": {"routed_prompts": 1.0}}
    assert "names none of its cases" in found["errors"][1]["routed_prompts"]


async def test_what_a_recipe_does_not_read_is_not_looked_at(http: Any) -> None:
    body = {"response": "42", "label": "42", "extra_info": {"task": "math", "deep": [[[[1]]]]}}
    assert await http.ok("/xtuner?reward=judged", body) == {"score": 1.0}
