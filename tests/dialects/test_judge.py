"""Trainers that ask a judge get a recipe's number in words, or the words of a judge that is configured."""

import base64
import json
import re
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from reward_gateway.backends.judges.replies import Reply
from reward_gateway.sample import Invalid

from tests.recipes.test_judging import make_verl_prompt

pytestmark = pytest.mark.anyio


def asked(*messages: tuple[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "model", "messages": [{"role": role, "content": content} for role, content in messages], **fields}


def words(found: dict[str, Any]) -> str:
    text: str = found["choices"][0]["message"]["content"]
    return text


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/judge/v1/chat/completions", "/chat/completions"])
async def test_the_number_follows_final_score(http: Any, path: str) -> None:
    found = await http.ok(path, asked(("user", "Why?"), ("assistant", "It is so.")))
    assert set(found) == {"id", "object", "created", "model", "choices", "usage"}
    number = re.fullmatch(r"Final Score: (-?\d+(?:\.\d+)?)", words(found))
    assert number
    assert float(number[1]) == pytest.approx(await http.native("Why?", "It is so."), abs=1e-5)


async def test_a_recipe_may_have_its_own_words(http: Any) -> None:
    found = await http.ok("/v1/chat/completions", asked(("user", ""), ("assistant", "12"), model="chat"))
    assert words(found) == "[[2]]"


PROMPT = "You judge.\n\nQuestion: Why?\n\nAnswer: It is so.\n\nAnd so.\n\nIs it good? Answer with a number."


async def test_a_judges_prompt_is_split_where_the_recipe_says_how(http: Any) -> None:
    for messages in ([("user", PROMPT)], [("system", "You are fair."), ("user", PROMPT)]):
        found = await http.ok("/v1/chat/completions", asked(*messages, model="verdict"))
        number = float(words(found).removeprefix("Final Score: "))
        assert number == pytest.approx(await http.native("Why?", "It is so.\n\nAnd so.", "verdict"), abs=1e-5)
    assert set(http.models.seen) == {("Why?", "It is so.\n\nAnd so.")}


async def test_a_conversation_with_an_answer_is_never_split(http: Any) -> None:
    await http.ok("/v1/chat/completions", asked(("user", PROMPT), ("assistant", "Yes."), model="verdict"))
    assert http.models.seen == [(PROMPT, "Yes.")]


async def test_a_judges_prompt_is_refused_where_nothing_says_how_to_split_it(http: Any) -> None:
    for messages in ([("user", PROMPT)], [("system", "You are fair."), ("user", PROMPT)]):
        answer = await http.post("/v1/chat/completions", asked(*messages, model="ratio"))
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "messages")
        assert "judge" in answer.json()["error"]["message"]
    assert http.models.seen == [], "it was not scored as if it were the response"


def rendered(*turns: tuple[str, str]) -> str:
    """ChatML, with what opens the answer where the assistant does not speak last."""
    text = "".join(f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in turns)
    return text if turns[-1][0] == "assistant" else text + "<|im_start|>assistant\n"


async def test_a_conversation_rendered_into_one_message_is_read_back(http: Any) -> None:
    text = rendered(("user", "Why?"), ("assistant", "It is so."))
    found = words(await http.ok("/v1/chat/completions", asked(("user", text))))
    assert found == f"Final Score: {await http.native('Why?', 'It is so.'):.6f}"
    assert set(http.models.seen) == {("Why?", "It is so.")}


async def test_a_rendered_question_is_no_answer(http: Any) -> None:
    quoted = "Is this good? " + rendered(("assistant", "It is so."), ("user", "Really?"), ("assistant", "Yes."))
    for text in (rendered(("user", PROMPT)), quoted, "Assistant: It is so."):
        answer = await http.post("/v1/chat/completions", asked(("user", text)))
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "messages")
    text = rendered(("user", "Why?"), ("assistant", "It is so."))
    answer = await http.post("/v1/chat/completions?chat_format=none", asked(("user", text)))
    assert answer.status_code == 422
    assert http.models.seen == []


async def test_a_prompt_that_no_pattern_matches_is_refused_without_its_text(http: Any) -> None:
    answer = await http.post("/v1/chat/completions", asked(("user", "Secret"), model="verdict"))
    assert answer.status_code == 422
    assert "judge.question does not match" in answer.json()["error"]["message"]
    assert "Secret" not in answer.text
    assert http.models.seen == []


async def test_a_pattern_without_end_is_given_up(http: Any) -> None:
    answer = await http.post("/v1/chat/completions", asked(("user", "a" * 5000), model="endless"))
    assert answer.status_code == 422
    assert "too long" in answer.json()["error"]["message"]


async def test_verls_judge_has_the_score_of_our_own_api(http: Any) -> None:
    text = make_verl_prompt("Why?", "It is so.\n\nPlease evaluate how well the solution is.")
    found = words(await http.ok("/v1/chat/completions", asked(("user", text), model="verl")))
    wanted = await http.native("Why?", "It is so.\n\nPlease evaluate how well the solution is.", "verl")
    assert int(found.split("\n\n")[-1].strip()) == round(wanted)
    assert float(found.split("\n\n")[0].removeprefix("Final Score: ")) == pytest.approx(wanted, abs=1e-5)


def pictures(count: int, text: str) -> list[dict[str, Any]]:
    """A message's parts as RLinf sends them: pictures, then a text."""
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    return [{"type": "image_url", "image_url": {"url": url}}] * count + [{"type": "text", "text": text}]


async def test_images_are_images_of_the_sample(http: Any) -> None:
    found = await http.ok("/v1/chat/completions?reward=looks", asked(("user", pictures(2, "Good?"))))
    assert words(found) == "Final Score: 2"


async def test_images_become_frames_and_the_text_the_prompt_where_the_recipe_reads_those(http: Any) -> None:
    found = await http.ok("/v1/chat/completions?reward=task", asked(("user", pictures(3, "Pick the cube."))))
    assert words(found) == "Final Score: 3"
    turns = asked(("user", pictures(3, "Pick the cube.")), ("assistant", "Done."))
    assert words(await http.ok("/v1/chat/completions?reward=task", turns)) == "Final Score: 3"
    assert http.models.seen == [("Pick the cube.", None)] * 2
    frames = [base64.b64encode(PNG).decode()] * 3
    assert await http.native("Pick the cube.", "", "task", frames=frames) == 3.0


async def test_a_rendered_task_is_the_task(http: Any) -> None:
    text = rendered(("user", "Pick the cube."))
    for sent in (pictures(3, text), pictures(3, text + "Picked.<|im_end|>")):
        assert words(await http.ok("/v1/chat/completions?reward=task", asked(("user", sent)))) == "Final Score: 3"
    assert set(http.models.seen) == {("Pick the cube.", None)}


TASK = (
    "You are currently performing the task: pick the cube. You are given two synchronized 5-frame videos. Answer with "
    "exactly one word: positive, negative, or unclear."
)


@pytest.mark.parametrize(("count", "label"), [(1, "negative"), (2, "unclear"), (10, "positive")])
async def test_rlinf_reads_one_of_its_labels_of_frames_and_task(http: Any, count: int, label: str) -> None:
    sent = asked(("user", pictures(count, TASK)), model="film", max_tokens=16, temperature=0.0)
    found = words(await http.ok("/v1/chat/completions", sent))
    assert re.findall(r"\b(positive|negative|unclear)\b", found.strip().lower())[-1] == label
    assert http.models.seen == [("pick the cube", None)]


async def test_a_stream_has_the_same_words(http: Any) -> None:
    turns = [("user", ""), ("assistant", "12")]
    answer = await http.post("/v1/chat/completions", asked(*turns, stream=True))
    events = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert events[-1] == "[DONE]"
    deltas = [json.loads(event)["choices"][0]["delta"].get("content", "") for event in events[:-1]]
    assert "".join(deltas) == words(await http.ok("/v1/chat/completions", asked(*turns)))


async def test_a_failure_is_an_error_and_no_words(http: Any) -> None:
    answer = await http.post("/v1/chat/completions", asked(("user", "p"), ("assistant", "bad")))
    assert answer.status_code == 422
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    http.models.away = True
    answer = await http.post("/v1/chat/completions", asked(("user", "p"), ("assistant", "good")))
    assert (answer.status_code, "choices" in answer.json()) == (503, False)


async def test_no_messages_are_refused(http: Any) -> None:
    answer = await http.post("/v1/chat/completions", asked())
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "messages")


async def test_more_than_one_choice_is_refused(http: Any) -> None:
    answer = await http.post("/v1/chat/completions", asked(("user", "x"), n=2))
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "n")


class Sage:
    """A judge that repeats the question, has no answer, or takes too long."""

    failures: ClassVar = {"?": Invalid("judge_error", "no answer"), "…": Invalid("timeout", "too long")}

    names = ("sage", "ratio")

    def may_say_otherwise(self, *_: Any) -> bool:
        return False

    async def answer(self, judge: str, questions: Sequence[Any], *_: Any) -> list[Reply | Invalid]:
        said = [question.conversation[-1]["content"] for question in questions]
        return [self.failures.get(text) or Reply(f"{judge} heard: {text}") for text in said]


async def test_a_judge_answers_by_its_name_where_no_recipe_has_it(http: Any) -> None:
    http.gateway.runtime.judges = Sage()
    assert words(await http.ok("/v1/chat/completions", asked(("user", "x"), model="sage"))) == "sage heard: x"
    turns = [("user", ""), ("assistant", "x")]
    assert words(await http.ok("/v1/chat/completions", asked(*turns, model="ratio"))) == "Final Score: 1"
    for question, status in (("?", 503), ("…", 504)):
        answer = await http.post("/v1/chat/completions", asked(("user", question), model="sage"))
        assert answer.status_code == status


PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
