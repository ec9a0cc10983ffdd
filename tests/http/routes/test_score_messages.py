"""Chat messages as clients dump them: every published key is accepted, and what nothing reads is flagged."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio

IGNORED = "message_parts_ignored"
BARE = {"role": "assistant", "content": "ok"}
CALL = {"type": "function", "function": {"name": "look", "arguments": "{}"}}


async def score_turns(served: Any, *turns: dict[str, Any], prompt: Any = "Q?") -> Any:
    answer = await served.score({"samples": [{"prompt": prompt, "response": list(turns)}]})
    assert answer.status_code == 200, answer.text
    (result,) = answer.json()["results"]
    return result


EMPTY: list[dict[str, Any]] = [
    {"refusal": None, "annotations": [], "audio": None, "function_call": None, "tool_calls": []},
    {"refusal": None, "annotations": None, "audio": None, "function_call": None, "tool_calls": [], "reasoning": None},
    {"reasoning_content": None, "tool_calls": None, "name": None, "tool_call_id": None},
    {"annotations": [], "audio": {}, "refusal": "", "tools": None, "task": None},
]


@pytest.mark.parametrize("empty", EMPTY)
async def test_a_dump_of_a_message_is_the_message(served: Any, empty: dict[str, Any]) -> None:
    bare = await score_turns(served, BARE)
    dumped = await score_turns(served, {**BARE, **empty})
    assert (dumped["reward"], dumped["flags"]) == (bare["reward"], [])
    first, second = served.models.seen
    assert first.responses == second.responses, "it is the same to models, and in cache keys"


UNREAD: list[dict[str, Any]] = [
    {"refusal": "I will not."},
    {"annotations": [{"type": "url_citation", "url_citation": {"url": "https://example.org"}}]},
    {"audio": {"id": "a1", "data": "AAAA", "transcript": "ok"}},
    {"tools": [{"type": "function", "function": {"name": "f"}}]},
    {"tool_calls": [CALL], "function_call": {"name": "f", "arguments": "{}"}},
    {"content": [{"type": "text", "text": "ok"}, {"type": "input_audio", "input_audio": {"data": "AAAA"}}]},
    {"content": [{"type": "text", "text": "ok"}, {"type": "video_url", "video_url": {"url": "https://example.org"}}]},
    {"content": [{"type": "file", "file": {"file_id": "f"}}, {"type": "text", "text": "ok"}]},
]


@pytest.mark.parametrize("unread", UNREAD)
@pytest.mark.parametrize("side", ["prompt", "response"])
async def test_what_nothing_reads_is_flagged(served: Any, unread: dict[str, Any], side: str) -> None:
    turn = {**BARE, **unread}
    result = await (score_turns(served, turn) if side == "response" else score_turns(served, BARE, prompt=[turn]))
    assert result["valid"]
    assert result["flags"] == [IGNORED]


async def test_an_unknown_key_is_refused(served: Any) -> None:
    body = {"samples": [{"response": [{**BARE, "refusals": None}]}]}
    served.refused(await served.score(body), 422, "samples[0].response[0].refusals")


async def test_what_has_two_names_has_one_form(served: Any) -> None:
    older = {"role": "assistant", "content": None, "function_call": CALL["function"], "reasoning": "Hm."}
    newer = {"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning_content": "Hm."}
    await score_turns(served, older)
    await score_turns(served, newer)
    assert [batch.responses for batch in served.models.seen] == [[[newer]], [[newer]]]


async def test_a_refusal_among_the_parts_is_text_and_a_thought_is_reasoning(served: Any) -> None:
    parts = [{"type": "thinking", "thinking": "Hm.", "closed": True}, {"type": "refusal", "refusal": "No."}]
    result = await score_turns(served, {"role": "assistant", "content": parts})
    assert result["flags"] == []
    (turn,) = served.models.seen[0].responses[0]
    assert turn["content"] == [{"type": "text", "text": "No."}]
    assert turn["reasoning_content"] == "Hm."


RULES = """
rewards:
  rule:
    components: {length: {score: response_length}}
  call:
    components: {call: {score: json_schema, params: {json_schema: {type: object, required: [name]}}}}
  model:
    components: {quality: {score: letters}}
  mixed:
    components: {length: {score: response_length}, quality: {score: letters}}
    combine: weighted_sum
default: rule
"""


@pytest.mark.parametrize(("reward", "flags"), [("rule", [IGNORED]), ("call", []), ("model", []), ("mixed", [])])
async def test_calls_are_flagged_where_nothing_sees_them(serve: Any, reward: str, flags: list[str]) -> None:
    async with serve(recipes=RULES) as served:
        turn = {"role": "assistant", "content": None, "tool_calls": [CALL]}
        answer = (await served.score({"reward": reward, "samples": [{"prompt": "p", "response": [turn]}]})).json()
        assert answer["results"][0]["flags"] == flags


async def test_a_turn_that_only_calls_is_no_empty_response(served: Any) -> None:
    turn = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    samples = [{"response": [turn]}, {"response": [{"role": "assistant", "content": None}]}]
    calling, silent = (await served.score({"reward": "mixed", "samples": samples})).json()["results"]
    assert (calling["flags"], silent["flags"]) == ([], ["empty_response"])


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"tool_calls": {"a": 1}}, "tool_calls"),
        ({"function_call": ["f"]}, "function_call"),
        ({"reasoning": 5}, "reasoning"),
    ],
)
async def test_calls_of_another_shape_are_refused_with_their_place(served: Any, wrong: Any, param: str) -> None:
    body = {"samples": [{"response": [{**BARE, **wrong}]}]}
    served.refused(await served.score(body), 422, f"samples[0].response[0].{param}")


@pytest.mark.parametrize("key", ["annotations", "function_call", "tool_calls", "audio"])
async def test_bytes_that_are_no_text_are_refused_wherever_they_stand(served: Any, key: str) -> None:
    body = b'{"samples": [{"response": [{"role": "assistant", "%b": [{"a": "\xff"}]}]}]}' % key.encode()
    assert (await served.score(body)).status_code == 400


async def test_nesting_counts_in_what_is_not_read(served: Any) -> None:
    deep = "[" * 60 + "]" * 60
    body = f'{{"samples": [{{"response": [{{"role": "a", "annotations": {deep}}}]}}]}}'
    served.refused(await served.score(body.encode()), 422, "samples[0].response[0].annotations")
