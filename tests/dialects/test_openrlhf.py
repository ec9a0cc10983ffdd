"""OpenRLHF posts the decoded text of each sample, prompt included, and takes three lists of numbers."""

import asyncio
import math
from typing import Any

import pytest

from tests.clock import until

pytestmark = pytest.mark.anyio


def one(prompt: str, response: str, label: str | None = None) -> dict[str, Any]:
    """The request that its agent makes of one sample."""
    return {"query": [prompt + response], "prompts": [prompt], "labels": [label]}


@pytest.mark.parametrize("path", ["/get_reward", "/openrlhf/get_reward"])
async def test_a_sample_has_the_score_that_it_has_everywhere(http: Any, unit: Any, path: str) -> None:
    reward = await http.native("Why?", "Because it is so.")
    found = await http.ok(path, one("Why?", "Because it is so."))
    assert set(found) == {"rewards", "scores", "extra_logs"}
    assert found["rewards"] == [pytest.approx(reward)]
    assert found["scores"] == [pytest.approx(unit(reward))]
    assert set(found["extra_logs"]) == {"ratio", "brevity"}
    assert all(isinstance(values[0], float) and len(values) == 1 for values in found["extra_logs"].values())


async def test_scores_stay_as_they_are_where_the_recipe_says_zero_to_one(http: Any) -> None:
    found = await http.ok("/get_reward?reward=share", one("2 + 2? ", "4", "4"))
    assert found["rewards"] == found["scores"] == [1.0]


async def test_a_label_may_be_several_accepted_answers(http: Any) -> None:
    for label, reward in ((["four", "4"], 1.0), (["five", "4"], 0.0)):
        body = {"query": ["2 + 2? four"], "prompts": ["2 + 2? "], "labels": [label]}
        assert (await http.ok("/get_reward?reward=share", body))["rewards"] == [reward]


async def test_marks_before_the_prompt_are_none_of_the_response(http: Any) -> None:
    await http.ok("/get_reward", {"query": ["<s>p r"], "prompts": ["p"], "labels": [None]})
    assert http.models.seen == [("p", " r")]


async def test_a_query_without_its_prompt_is_all_response(http: Any) -> None:
    await http.ok("/get_reward", {"query": ["another text"], "prompts": ["a prompt"], "labels": [None]})
    await http.ok("/get_reward", {"query": ["no prompts at all"]})
    assert http.models.seen == [("a prompt", "another text"), ("", "no prompts at all")]


async def test_a_rendered_prompt_is_read_back_unless_the_recipe_says_otherwise(http: Any) -> None:
    prompt = "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
    await http.ok("/get_reward", one(prompt, "So.<|im_end|>\n"))
    await http.ok("/get_reward?reward=verbatim", one(prompt, "So.<|im_end|>\n"))
    assert http.models.seen == [("Why?", "So."), (prompt, "So.<|im_end|>\n")]


async def test_a_shard_is_answered_in_its_order_and_an_empty_one_with_empty_lists(http: Any) -> None:
    shard = {"query": ["pa", "pbb", "pccc"], "prompts": ["p"] * 3, "labels": [None] * 3}
    rewards = (await http.ok("/get_reward", shard))["rewards"]
    assert rewards == [pytest.approx(await http.native("p", r)) for r in ("a", "bb", "ccc")]
    empty: dict[str, list[str]] = {"query": [], "prompts": [], "labels": []}
    assert await http.ok("/get_reward", empty) == {"rewards": [], "scores": [], "extra_logs": {}}


async def test_the_oldest_client_sends_no_labels_and_new_ones_may_send_more(http: Any) -> None:
    await http.ok("/get_reward", {"query": ["pr"], "prompts": ["p"]})
    await http.ok("/get_reward", {**one("p", "r"), "samples": 1, "images": [None]})


async def test_lists_of_different_lengths_are_refused(http: Any) -> None:
    for extra in ({"prompts": ["p"]}, {"labels": [None, None, None]}):
        answer = await http.post("/get_reward", {"query": ["a", "b"], **extra})
        assert answer.status_code == 422
        assert answer.json()["error"]["param"] in extra


async def test_one_sample_that_cannot_be_scored_fails_the_request(http: Any) -> None:
    shard = {"query": ["pgood", "pbad"], "prompts": ["p", "p"], "labels": [None, None]}
    answer = await http.post("/get_reward", shard)
    assert answer.status_code == 422
    assert "rewards" not in answer.json()
    http.models.away = True
    answer = await http.post("/get_reward", one("p", "good"))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_number_stands_for_a_failure_only_where_the_operator_says_so(http: Any, speak: Any, unit: Any) -> None:
    found = await http.ok("/get_reward?reward=lenient", one("p", "bad"))
    assert found == {"rewards": [-9.0], "scores": [pytest.approx(unit(-9.0))], "extra_logs": {"ratio": [-9.0]}}
    async with speak(dialect_failures={"openrlhf": -1}) as told:
        assert (await told.ok("/get_reward", one("p", "bad")))["rewards"] == [-1.0]


async def test_a_name_that_is_not_there_is_an_error_and_a_clients_constant_is_no_name(http: Any) -> None:
    bodies: list[dict[str, Any]] = [one("p", "r"), {"query": []}]
    for body in bodies:
        assert (await http.post("/get_reward?reward=nobody", body)).status_code == 404
        assert (await http.post("/get_reward", {**body, "model": "nobody"})).status_code == 404
    await http.ok("/get_reward", {**one("p", "r"), "model": "reward_model"})
    share = await http.ok("/get_reward", {**one("p", "r", "r"), "model": "share"})
    assert share["rewards"] == [1.0]


async def test_two_thousand_posts_at_once_share_their_infer_calls(speak: Any) -> None:
    responses = [f"response {i} " + "x" * (i % 97) for i in range(2000)]
    batch = {"query": [f"p{r}" for r in responses], "prompts": ["p"] * 2000, "labels": [None] * 2000}
    async with speak(max_in_flight=2000, max_queued=0, default_deadline_s=600) as http:
        wanted = (await http.ok("/get_reward", batch))["rewards"]
        for _ in range(2):
            http.models.calls = 0
            http.models.seen.clear()
            http.models.gate.shut()
            asking = asyncio.gather(*(http.ok("/get_reward", one("p", r)) for r in responses))
            await until(lambda: len(http.models.seen) == 2000)
            http.models.gate.open()
            assert [answer["rewards"][0] for answer in await asking] == pytest.approx(wanted)
            assert http.models.calls <= 4 + math.ceil(2000 / 256)  # four at once, and what gathers behind them
