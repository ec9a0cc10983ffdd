"""``POST /v1/score`` with context missing: prompts, groups, members of a group; and images that nobody reads."""

import base64
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  asks: {components: {quality: {score: pairs}}}
  may: {components: {quality: {score: pairs}}, optional: [prompt]}
  alone: {components: {quality: {score: letters}}}
  grpo: {components: {quality: {score: letters}}, group: {normalize: zscore}}
  raw: {components: {quality: {score: letters}}, group: {normalize: zscore, single: raw}}
  zero: {components: {quality: {score: letters}}, group: {normalize: rank, single: zero}}
  combined: {components: {quality: {score: letters}}, group: {normalize: zscore, answer: combined}}
  cohort:
    components: {quality: {score: letters}}
    group: {normalize: rloo, cohort: {size: 2, timeout_s: 0.05}}
  cohort_raw:
    components: {quality: {score: letters}}
    group: {normalize: rloo, single: raw, cohort: {size: 2, timeout_s: 0.05}}
"""


def picture() -> str:
    file = BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.fixture
async def results(serve: Any) -> Any:
    """``await results("grpo", {sample}, …)``"""
    async with serve(recipes=RECIPES) as served:

        async def score(reward: str, *samples: dict[str, Any], **options: Any) -> Any:
            answer = await served.score({"reward": reward, "samples": list(samples), "options": options})
            assert answer.status_code == 200, answer.text
            return answer.json()["results"]

        score.served = served  # type: ignore[attr-defined]
        yield score


async def test_a_prompt_that_the_recipe_reads_may_be_empty_but_not_missing(results: Any) -> None:
    empty, missing, null = await results(
        "asks", {"prompt": "", "response": "ab"}, {"response": "ab"}, {"prompt": None, "response": "ab"}
    )
    assert (empty["valid"], empty["reward"]) == (True, 2.0)
    for refused in (missing, null):
        assert (refused["valid"], refused["reward"]) == (False, None)
        assert (refused["error"]["code"], refused["error"]["param"]) == ("missing_field", "prompt")
    assert [batch.size for batch in results.served.models.seen] == [3]


async def test_a_recipe_that_reads_no_prompt_or_may_do_without_scores_it(results: Any) -> None:
    for reward in ("alone", "may"):
        (only,) = await results(reward, {"response": "ab"})
        assert only["reward"] == 2.0


async def test_on_invalid_fail_names_the_prompt(results: Any) -> None:
    body = {"reward": "asks", "samples": [{"response": "a"}], "options": {"on_invalid": "fail"}}
    results.served.refused(await results.served.score(body), 422, "samples[0].prompt")


async def test_three_questions_without_prompts_are_no_group(results: Any) -> None:
    for one in await results("grpo", {"response": "a"}, {"response": "ab"}, {"response": "abc"}):
        assert (one["valid"], one["error"]["code"], one["error"]["param"]) == (False, "missing_field", "group")


async def test_a_group_of_one_is_refused_beside_groups_that_are_scored(results: Any) -> None:
    lone, low, high = await results(
        "grpo", *({"prompt": prompt, "response": text} for prompt, text in (("p", "a"), ("q", "a"), ("q", "abc")))
    )
    assert (lone["valid"], lone["reward"], lone["reward_raw"]) == (False, None, None)
    assert lone["error"]["code"] == "group_of_one"
    assert low["reward"] == -high["reward"] == pytest.approx(-0.7071, abs=1e-3)
    assert (low["reward_raw"], high["reward_raw"]) == (1.0, 3.0)


async def test_so_is_the_only_valid_member_of_a_group_of_two(results: Any) -> None:
    one, other = await results("grpo", {"prompt": "p", "response": "a"}, {"prompt": "p"})
    assert (one["error"]["code"], other["error"]["code"]) == ("group_of_one", "missing_field")


async def test_the_cause_is_named_before_its_consequence(results: Any) -> None:
    body = {
        "reward": "grpo",
        "samples": [{"prompt": "p", "response": "a"}, {"prompt": "p"}],
        "options": {"on_invalid": "fail"},
    }
    results.served.refused(await results.served.score(body), 422, "samples[1].response")


async def test_a_recipe_may_say_what_a_group_of_one_gets(results: Any) -> None:
    sample = {"prompt": "p", "response": "abc"}
    assert [(await results(name, sample))[0]["reward"] for name in ("raw", "zero", "combined")] == [3.0, 0.0, 3.0]


async def test_with_the_combined_answer_no_group_is_needed(results: Any) -> None:
    found = await results("combined", {"response": "a"}, {"response": "abc"})
    assert [(one["valid"], one["reward_raw"]) for one in found] == [(True, 1.0), (True, 3.0)]


async def test_a_cohort_that_closes_with_one_is_a_group_of_one(results: Any) -> None:
    (only,) = await results("cohort", {"prompt": "lone", "response": "abc"})
    assert (only["valid"], only["error"]["code"], only["flags"]) == (False, "group_of_one", ["cohort_incomplete"])
    (only,) = await results("cohort_raw", {"prompt": "lone", "response": "abc"})
    assert (only["reward"], only["reward_raw"], only["flags"]) == (3.0, 3.0, ["cohort_incomplete"])


async def test_a_cohort_of_one_valid_member_is_a_group_of_one(results: Any) -> None:
    one, other = await results("cohort", {"prompt": "p", "response": "a"}, {"prompt": "p"})
    assert (one["error"]["code"], other["error"]["code"]) == ("group_of_one", "missing_field")


async def test_samples_of_unknown_groups_join_no_cohort(results: Any) -> None:
    for one in await results("cohort", {"response": "a"}, {"response": "ab"}):
        assert (one["error"]["code"], one["error"]["param"]) == ("missing_field", "group")


async def test_an_answer_says_which_number_a_client_with_room_for_one_takes(results: Any) -> None:
    for reward, answer in (("grpo", "normalized"), ("combined", "combined")):
        body = {"reward": reward, "samples": [{"prompt": "p", "response": text} for text in ("a", "ab")]}
        assert (await results.served.score(body)).json()["answer"] == answer
    assert "answer" not in (await results.served.score({"reward": "alone", "samples": []})).json()


@pytest.mark.parametrize("field", ["images", "frames"])
async def test_images_that_nothing_reads_are_flagged(results: Any, field: str) -> None:
    flagged, plain = await results("alone", {"response": "a", field: [picture()]}, {"response": "a"})
    assert (flagged["valid"], flagged["flags"], plain["flags"]) == (True, ["media_ignored"], [])


@pytest.mark.parametrize(("reward", "expected"), [("grpo", [-0.7069, 0.7069]), ("combined", [1.0, 3.0])])
async def test_dialects_answer_the_number_that_the_recipe_says(
    results: Any, reward: str, expected: list[float]
) -> None:
    body = {"query": ["pa", "pabc"], "prompts": ["p", "p"], "labels": [None, None]}
    answer = await results.served.client.post("/get_reward", params={"reward": reward}, json=body)
    assert answer.json()["rewards"] == pytest.approx(expected, abs=1e-3)
    query = {"query": "p", "texts": ["a", "abc"], "raw_scores": True}
    answer = await results.served.client.post("/tei/rerank", params={"reward": reward}, json=query)
    assert [row["score"] for row in answer.json()] == pytest.approx(expected[::-1], abs=1e-3)


async def test_a_dialect_of_single_samples_is_refused_by_a_recipe_that_compares_and_not_by_the_combined_answer(
    results: Any,
) -> None:
    body = {"prompt": "p", "response": "abc", "label": None}
    refused = await results.served.client.post("/rm", params={"reward": "grpo"}, json=body)
    assert refused.status_code == 422
    answer = await results.served.client.post("/rm", params={"reward": "combined"}, json=body)
    assert (answer.status_code, answer.json()) == (200, 3.0)
