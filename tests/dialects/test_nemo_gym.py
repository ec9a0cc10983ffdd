"""NeMo-Gym posts a row with an OpenAI Responses object, and wants both back beside the reward."""

from typing import Any

import pytest
from pydantic import ValidationError
from reward_gateway.settings import Settings

pytestmark = pytest.mark.anyio


def response(*texts: str) -> dict[str, Any]:
    """The smallest response object that trainers send."""
    parts = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    message = {"id": "msg", "role": "assistant", "type": "message", "status": "completed", "content": parts}
    return {
        "id": "resp",
        "created_at": 0,
        "model": "model",
        "object": "response",
        "output": [{"type": "reasoning", "id": "r", "summary": []}, message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def row(prompt: Any, said: str, **fields: Any) -> dict[str, Any]:
    params = {"input": prompt if isinstance(prompt, str) else [{"role": "user", "content": "Why?"}]}
    return {"responses_create_params": params, "response": response(said), **fields}


@pytest.mark.parametrize("path", ["/verify", "/nemo_gym/verify"])
@pytest.mark.parametrize("prompt", ["Why?", None])
async def test_the_reward_comes_with_both_objects_as_they_were(http: Any, path: str, prompt: Any) -> None:
    sent = row(prompt, "So.")
    found = await http.ok(path, sent)
    assert set(found) == {"responses_create_params", "response", "reward", "reward_components", "verdicts"}
    assert found["responses_create_params"] == sent["responses_create_params"]
    assert found["response"] == sent["response"]
    assert found["reward"] == pytest.approx(await http.native("Why?", "So."))
    assert set(found["reward_components"]) == {"ratio", "brevity"}


@pytest.mark.parametrize("name", ["reference", "ground_truth", "expected_answer", "answer", "label"])
async def test_the_reference_has_many_names(http: Any, name: str) -> None:
    assert (await http.ok("/verify?reward=share", row("2 + 2", "4", **{name: "4"})))["reward"] == 1.0
    assert (await http.ok("/verify?reward=share", row("2 + 2", "4", **{name: 5})))["reward"] == 0.0


async def test_the_first_of_several_references_counts(http: Any) -> None:
    sent = row("2 + 2", "4", answer="4", label="wrong", reward=0.5)
    assert (await http.ok("/verify?reward=share", sent))["reward"] == 1.0


async def test_instructions_and_earlier_turns_are_the_prompt(http: Any) -> None:
    turns = [
        {"role": "user", "content": [{"type": "input_text", "text": "Why?"}]},
        {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "1"},
        {"type": "function_call_output", "call_id": "1", "output": "x"},
        {"role": "user", "content": "Say."},
    ]
    params = {"input": turns, "instructions": "Be brief."}
    await http.ok("/verify", {"responses_create_params": params, "response": response("So", ".")})
    ((prompt, answer),) = http.models.seen
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert prompt == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "x", "tool_call_id": "1"},
        {"role": "user", "content": "Say."},
    ]
    assert answer == "So."


def message(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def call(name: str, arguments: str = "{}", call_id: str = "c") -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def output(text: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": "c", "output": text}


def row_of(*items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    params = {"input": [{"role": "user", "content": "What is 6 times 7?"}]}
    return {"responses_create_params": params, "response": {"output": list(items)}, **fields}


@pytest.mark.parametrize(
    ("items", "answer", "reward"),
    [
        ([message("The product of 6 and 7 is 4"), call("mul"), output("42"), message("2")], "42", 0.0),
        ([message("Looking up item 1."), call("mul"), message("7")], "7", 1.0),
        ([message("It is 4"), message("2")], "42", 0.0),
        ([call("mul"), output("42"), message("I do not know.")], "42", 0.0),
        ([call("mul"), output("42")], "42", 0.0),
        ([call("mul"), output("41"), message("It is 42.")], "42", 1.0),
    ],
)
async def test_turns_stay_turns_and_only_the_policys_own_words_are_paid(
    http: Any, items: list[dict[str, Any]], answer: str, reward: float
) -> None:
    found = await http.ok("/verify?reward=numeric", row_of(*items, expected_answer=answer))
    assert (found["reward"], found.get("_ng_failure_class")) == (reward, None)


@pytest.mark.parametrize("calls", [1, 2])
async def test_calls_alone_are_a_response(http: Any, calls: int) -> None:
    items = [call("get_weather", '{"city": "Paris"}', str(k)) for k in range(calls)]
    assert (await http.ok("/verify?reward=calls", row_of(*items)))["reward"] == 1.0
    assert (await http.ok("/verify?reward=calls", row_of(message("I would call."))))["reward"] == 0.0


async def test_items_of_every_kind_are_turns(http: Any) -> None:
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    search = {"type": "web_search_call", "id": "w", "status": "completed", "action": {"query": "eggs"}}
    items = [thought, message("Wait."), search, output([{"type": "output_text", "text": "six"}]), message("Six.")]
    await http.ok("/verify", row_of(*items, thought))
    ((_, turns),) = http.models.seen
    asked = {"type": "function", "function": {"name": "web_search", "arguments": {"action": {"query": "eggs"}}}}
    assert turns == [
        {"role": "assistant", "content": "Wait.", "reasoning_content": "Hm.", "tool_calls": [asked]},
        {"role": "tool", "content": "six", "tool_call_id": "c"},
        {"role": "assistant", "content": "Six."},
        {"role": "assistant", "content": None, "reasoning_content": "Hm."},
    ]


async def test_no_output_is_no_response_and_an_empty_one_is(http: Any) -> None:
    empty = await http.ok("/verify", row("Why?", "") | {"response": {"output": []}})
    assert empty["reward"] == pytest.approx(await http.native("Why?", ""))
    for missing in ({}, {"output": None}, {"output": "So."}, {"output": ["So."]}):
        answer = await http.post("/verify", row("Why?", "") | {"response": missing})
        assert (answer.status_code, "reward" in answer.json()) == (422, False), missing


async def test_a_failure_is_an_error_since_most_clients_would_train_on_a_marked_zero(http: Any) -> None:
    refused = await http.post("/verify", row("p", "bad"))
    assert (refused.status_code, "reward" in refused.json()) == (422, False)
    http.models.away = True
    away = await http.post("/verify", row("p", "good"))
    assert (away.status_code, "reward" in away.json()) == (503, False)


async def test_a_failure_is_marked_where_the_operator_says_so(speak: Any) -> None:
    async with speak(nemo_gym_failures="body") as http:
        found = await http.ok("/verify", row("p", "bad"))
        assert (found["reward"], found["_ng_failure_class"]) == (0.0, "judge_failed")
        assert found["_ng_failure_judge_error"] == found["failure_reason"] != ""
        assert (found["mask_sample"], found["failure_kind"]) == (True, "judge_failed")
        assert found["instance_config"] == {"mask_sample": True}
        assert {"responses_create_params", "response", "reward_components"} <= set(found)
        http.models.away = True
        assert (await http.ok("/verify", row("p", "good")))["_ng_failure_class"] == "judge_failed"
        rows = {row["name"]: row for row in (await http.client.get("/v1/dialects")).json()["dialects"]}
        assert (rows["nemo_gym"]["on_invalid"], rows["nemo_gym"]["override"]) == ("error", "marked")


async def test_what_is_set_for_a_dialect_goes_before_its_own_form_of_failures(speak: Any) -> None:
    async with speak(nemo_gym_failures="body", dialect_failures={"nemo_gym": "error"}) as http:
        assert (await http.post("/verify", row("p", "bad"))).status_code == 422
    async with speak(nemo_gym_failures="body", dialect_failures={"nemo_gym": -2.0}) as http:
        found = await http.ok("/verify", row("p", "bad"))
        assert (found["reward"], "_ng_failure_class" in found) == (-2.0, False)


def test_a_form_of_failures_that_nobody_reads_is_refused() -> None:
    with pytest.raises(ValidationError):
        Settings(nemo_gym_failures="zero")


async def test_an_unknown_reward_is_an_error_all_the_same(http: Any) -> None:
    assert (await http.post("/verify?reward=nobody", row("p", "good"))).status_code == 404


async def test_a_session_begins_with_any_row(http: Any) -> None:
    for path in ("/seed_session", "/nemo_gym/seed_session"):
        assert await http.ok(path, {"question": "Why?", "verifier": {"x": [1]}}) == {}


async def test_an_episode_of_an_environment_server_gets_its_identifier_back_and_a_cookie(http: Any) -> None:
    asked = {"resources_session_id": "resources-session-1", "episode_id": {"rollout_id": "r"}, "task_data": {}}
    for prefix in ("", "/nemo_gym", "/r/share"):
        seeded = await http.post(f"{prefix}/seed_session", asked)
        assert seeded.json() == {"resources_session_id": "resources-session-1"}
        assert dict(seeded.cookies)
        assert await http.ok(f"{prefix}/close_session", asked) == {"resources_session_id": "resources-session-1"}
    assert (await http.post("/close_session", {})).status_code == 422


async def test_metrics_are_means_over_the_rows_that_did_not_fail(http: Any) -> None:
    rows = [
        {"reward": 1.0, "tokens": 10, "name": "a", "solved": True, "reward_components": {"a": 0.5}},
        {"reward": 0.0, "tokens": 20, "name": "b", "solved": False, "reward_components": {"a": 1.5}},
        {"reward": 0.0, "_ng_failure_class": "judge_failed"},
        {"reward": 0.0, "mask_sample": True},
    ]
    found = await http.ok("/aggregate_metrics", {"verify_responses": rows})
    means = {"reward": 0.5, "tokens": 15.0, "solved": 0.5}
    assert found == {
        **means,
        "reward_components": {"a": 1.0},
        "group_level_metrics": [],
        "agent_metrics": {f"mean/{name}": mean for name, mean in means.items()},
        "key_metrics": {"mean/reward": 0.5},
    }
    assert await http.ok("/aggregate_metrics", {"verify_responses": []}) == {}


async def test_what_is_sent_back_is_not_touched(http: Any) -> None:
    sent = row("p", "good")
    sent["response"]["seed"] = 2**80
    sent["responses_create_params"]["metadata"] = {"odd": 1e-300, "deep": [[None]]}
    found = await http.ok("/verify", sent)
    assert found["response"] == sent["response"]
    assert found["responses_create_params"] == sent["responses_create_params"]
    assert (await http.ok("/aggregate_metrics", {"verify_responses": [{"n": 10**400}, {"n": 2}]}))["n"] == 2.0


@pytest.mark.parametrize("name", ["response", "responses_create_params"])
@pytest.mark.parametrize("value", [None, [], "text", 1])
async def test_both_objects_are_needed(http: Any, name: str, value: Any) -> None:
    answer = await http.post("/verify", {**row("p", "good"), name: value})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, name)


async def test_rows_may_be_verified_again(http: Any) -> None:
    for path in ("/reverify_mode", "/nemo_gym/reverify_mode"):
        assert (await http.client.get(path)).json() == "stateless"
