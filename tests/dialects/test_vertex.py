"""Vertex AI posts an example of the data set and the response of the tuned model; it clips rewards to [-1, 1]."""

from typing import Any

import pytest

pytestmark = pytest.mark.anyio


def asked(question: str, said: str, **example: Any) -> dict[str, Any]:
    """The body as Google documents it, with a question that the model answered."""
    contents = [{"role": "user", "parts": [{"text": question}]}]
    return {
        "example": {"contents": contents, **example},
        "response": {"parts": [{"text": said}]},
        "metadata": {"step": 1, "tuning_job_id": 123456789},
    }


CAPITAL = asked("What is the capital of France?", "Paris", references={"answer": "Paris"})


async def test_googles_own_example_is_scored_against_its_reference(http: Any) -> None:
    found = await http.ok("/vertex?reward=share", CAPITAL)
    assert found == {
        "reward": 1.0,
        "user_requested_aux_info": '{"equal":1.0,"equal/matched":0.0,"equal/unfinished_reasoning":0.0}',
    }
    wrong = {**CAPITAL, "response": {"role": "model", "parts": [{"text": "London"}]}}
    assert (await http.ok("/vertex?reward=share", wrong))["reward"] == 0.0


@pytest.mark.parametrize(
    "references",
    [
        {"gold": "4"},
        {"answer": "4", "difficulty": "hard"},
        {"reference": "4", "difficulty": "hard"},
        {"only": 4},
    ],
)
async def test_the_reference_is_the_only_one_or_answer_or_reference(http: Any, references: Any) -> None:
    assert (await http.ok("/vertex?reward=share", asked("2 + 2?", "4", references=references)))["reward"] == 1.0


async def test_of_several_values_none_is_guessed_to_be_the_reference(http: Any) -> None:
    body = asked("2 + 2?", "4", references={"gold": "4", "other": "5"})
    answer = await http.post("/vertex?reward=share", body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "example.references")
    assert (await http.ok("/vertex?reward=begins", body))["reward"] == 0.0, "nothing of this recipe reads it"


async def test_a_missing_reference_is_an_error_and_no_number(http: Any) -> None:
    answer = await http.post("/vertex?reward=share", asked("2 + 2?", "4"))
    assert answer.status_code == 422
    assert "reward" not in answer.json()


async def test_a_range_that_google_would_clip_is_refused_unless_the_address_says_so(http: Any) -> None:
    body = asked("Why?", "Because.")
    answer = await http.post("/vertex", body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "reward")
    assert "?clip=1" in answer.json()["error"]["message"]
    wanted = await http.native("Why?", "Because.")
    assert wanted > 1
    assert (await http.ok("/vertex?clip=1", body))["reward"] == 1.0
    assert (await http.ok("/vertex?clip=1", asked("Why?" * 10, "So.")))["reward"] == -1.0


async def test_several_accepted_answers_stay_several(http: Any) -> None:
    body = asked("2 + 2?", "four", references={"answer": ["4", "four"]})
    assert (await http.ok("/vertex?reward=share", body))["reward"] == 1.0
    body = asked("2 + 2?", "five", references={"answer": ["4", "four"]})
    assert (await http.ok("/vertex?reward=share", body))["reward"] == 0.0


async def test_the_system_instruction_and_earlier_turns_are_the_prompt(http: Any) -> None:
    body = asked("", "Yes.", systemInstruction={"parts": [{"text": "Be brief."}]})
    body["example"]["contents"] = [
        {"role": "user", "parts": [{"text": "Is it "}, {"text": "wet?"}]},
        {"role": "model", "parts": [{"text": "It rains.", "thought": True}, {"text": "It is."}]},
        {"role": "user", "parts": [{"text": "Sure?"}]},
    ]
    await http.ok("/vertex?clip=1", body)
    ((prompt, response),) = http.models.seen
    assert [(turn["role"], turn["content"]) for turn in prompt] == [
        ("system", "Be brief."),
        ("user", "Is it wet?"),
        ("assistant", "It is."),
        ("user", "Sure?"),
    ]
    assert prompt[2]["reasoning_content"] == "It rains."
    assert response == "Yes."


async def test_thoughts_are_reasoning_and_not_the_response(http: Any) -> None:
    body = asked("2 + 2?", "4", references={"answer": "4"})
    body["response"]["parts"].insert(0, {"text": "Two and two.", "thought": True})
    assert (await http.ok("/vertex?reward=share", body))["reward"] == 1.0
    await http.ok("/vertex?clip=1", body)
    ((_, response),) = http.models.seen
    assert response == [{"role": "assistant", "content": "4", "reasoning_content": "Two and two."}]


async def test_calls_of_functions_are_part_of_their_turns(http: Any) -> None:
    body = asked("Weather?", "")
    body["example"]["contents"] += [
        {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"at": "Ulm"}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"sky": "grey"}}}]},
    ]
    await http.ok("/vertex?clip=1", body)
    ((prompt, _),) = http.models.seen
    assert [turn["role"] for turn in prompt] == ["user", "assistant", "tool"]
    assert prompt[1]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at":"Ulm"}'}
    assert prompt[2]["content"] == '{"sky":"grey"}'


async def test_fields_may_have_the_names_of_their_definition(http: Any) -> None:
    """ProtoJSON's readers take ``system_instruction`` for ``systemInstruction``; what is dropped would be unscored."""
    image = {"mime_type": "image/png", "data": "AAAA"}
    bodies = []
    for own in (False, True):
        body = asked("Weather?", "Grey.")
        body["example"]["system_instruction" if own else "systemInstruction"] = {"parts": [{"text": "Be brief."}]}
        call, answer = {"name": "look", "args": {"at": "Ulm"}}, {"name": "look", "response": {"sky": "grey"}}
        body["example"]["contents"] += [
            {"role": "model", "parts": [{"function_call" if own else "functionCall": call}]},
            {"role": "user", "parts": [{"function_response" if own else "functionResponse": answer}]},
        ]
        bodies.append(body)
    rewards = [(await http.ok("/vertex?clip=1", body))["reward"] for body in bodies]
    assert rewards[0] == rewards[1]
    first, second = http.models.seen
    assert first == second
    assert [turn["role"] for turn in second[0]] == ["system", "user", "assistant", "tool"]
    body["response"]["parts"] = [{"inline_data": image}]
    answer = await http.post("/vertex?clip=1&reward=looks", body)
    assert "not an image" in answer.json()["error"]["message"], "it was read as an image"


async def test_a_part_that_cannot_be_read_is_named(http: Any) -> None:
    body = asked("What is this?", "A cat.")
    body["example"]["contents"][0]["parts"].append({"fileData": {"fileUri": "gs://bucket/cat.png"}})
    answer = await http.post("/vertex?reward=begins", body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "example.contents[0].parts[1]")


async def test_no_field_of_the_body_chooses_the_recipe(http: Any) -> None:
    body = asked("Why?", "Because.", reward="begins", model="begins")
    assert (await http.post("/vertex", {**body, "reward": "begins", "model": "begins"})).status_code == 422


async def test_a_failure_is_an_http_error(http: Any) -> None:
    assert (await http.post("/vertex?clip=1", asked("Why?", "bad"))).status_code == 422
    http.models.away = True
    assert (await http.post("/vertex?clip=1", asked("Why?", "Because."))).status_code == 503
