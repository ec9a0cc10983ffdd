"""Judges over a real connection: order, patience, limits, and a reason for whatever has no answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from reward_gateway.backends.judges import parameters
from reward_gateway.backends.judges.config import JudgeConfig
from reward_gateway.backends.judges.judges import Judges
from reward_gateway.cache.breaker import Breaker
from reward_gateway.errors import NotFound
from reward_gateway.sample import Invalid
from starlette.responses import JSONResponse, RedirectResponse, Response

from tests.clock import Clock, until

pytestmark = pytest.mark.anyio

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)

PAUSE_S = 3600.0
"""How long a judge that does not answer is left alone."""


@asynccontextmanager
async def judging(url: str, failures: int = 100, **settings: Any) -> AsyncIterator[Judges]:
    config = JudgeConfig(name="j", base_url=url, model="m", **settings)
    clock = asyncio.get_running_loop().time
    judges = Judges(
        [config], lambda changed: Breaker(failures, clock, pause_s=PAUSE_S, max_pause_s=PAUSE_S, changed=changed)
    )
    try:
        yield judges
    finally:
        await judges.close()


def says(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def in_turn(*replies: Response | str) -> Callable[[dict[str, Any]], Response | str]:
    left = list(replies)
    return lambda body: left.pop(0) if len(left) > 1 else left[0]


def code(answer: str | Invalid) -> str:
    assert isinstance(answer, Invalid), answer
    return answer.code


def in_time(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_answers_stand_in_the_order_of_the_questions(fake: Any) -> None:
    fake.reply = lambda body: body["messages"][-1]["content"].upper()
    async with judging(fake.url) as judges:
        assert await judges.ask("j", [says(f"q{i}") for i in range(50)]) == [f"Q{i}" for i in range(50)]


async def test_a_question_carries_model_limits_and_key(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sesame")
    async with judging(fake.url, api_key_env="JUDGE_KEY", max_tokens=7, temperature=0.3, extra={"seed": 1}) as judges:
        await judges.ask("j", [says("q")], None)
        await judges.ask("j", [says("q")], 0.9)
    assert [body["temperature"] for body in fake.bodies] == [0.3, 0.9]
    assert fake.bodies[0] == {
        "model": "m",
        "messages": says("q"),
        "max_tokens": 7,
        "seed": 1,
        "temperature": 0.3,
    }
    assert fake.headers[0]["authorization"] == "Bearer sesame"


async def test_an_unknown_judge_is_not_found(fake: Any) -> None:
    async with judging(fake.url) as judges:
        with pytest.raises(NotFound, match="judges: j"):
            await judges.ask("other", [says("q")])


async def test_equal_questions_are_asked_once_at_temperature_0_and_each_by_itself_above_it(fake: Any) -> None:
    async with judging(fake.url) as judges:
        assert await judges.ask("j", [says("same")] * 5 + [says("other")]) == ["YES"] * 6
        assert len(fake.bodies) == 2
        await judges.ask("j", [says("same")] * 5, 0.7)
        assert len(fake.bodies) == 7


@pytest.mark.parametrize("status", [408, 409, 429, 500, 501, 502, 503, 504, 507, 520, 521, 522, 523, 524, 529, 599])
async def test_a_server_in_trouble_is_asked_again(fake: Any, status: int) -> None:
    fake.reply = in_turn(Response(status_code=status), "YES")
    async with judging(fake.url) as judges:
        assert await judges.ask("j", [says("q")]) == ["YES"]
    assert len(fake.bodies) == 2


@pytest.mark.parametrize(
    "reply",
    [
        JSONResponse({"error": {"message": "Provider returned error", "code": 502}}),
        JSONResponse({"choices": [{"error": {"code": 502}, "message": {"content": "YES"}}]}),
        JSONResponse({"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}),
        JSONResponse({"choices": [{"message": {"content": None, "reasoning_content": "YES"}}]}),
    ],
)
async def test_an_error_in_the_body_and_an_empty_answer_are_asked_again(fake: Any, reply: Response) -> None:
    fake.reply = in_turn(reply, "NO")
    async with judging(fake.url) as judges:
        assert await judges.ask("j", [says("q")]) == ["NO"]
    assert len(fake.bodies) == 2


@pytest.mark.parametrize("finish", ["stop", "eos", "eos_token", "stop_sequence", "end_turn", "STOP", None, ...])
async def test_a_finished_answer_is_one(fake: Any, finish: Any) -> None:
    choice = {"message": {"content": "YES", "refusal": None, "reasoning": "or NO"}}
    fake.reply = lambda body: JSONResponse(
        {"choices": [choice if finish is ... else {**choice, "finish_reason": finish}]}
    )
    async with judging(fake.url) as judges:
        assert await judges.ask("j", [says("q")]) == ["YES"]


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"finish_reason": "length"}, "did not finish its answer (length)"),
        ({"finish_reason": "content_filter"}, "did not finish its answer (content_filter)"),
        ({"finish_reason": "tool_calls"}, "did not finish its answer (tool_calls)"),
        ({"finish_reason": "abort"}, "did not finish its answer (abort)"),
        ({"finish_reason": "my secret"}, "did not finish its answer (an unknown finish_reason)"),
        ({"finish_reason": ""}, "did not finish its answer (an unknown finish_reason)"),
        ({"finish_reason": 0}, "did not finish its answer (an unknown finish_reason)"),
        ({"message": {"content": "YES", "refusal": "I will not"}}, "refused to answer"),
        ({"message": {"content": [{"type": "refusal", "refusal": "no"}]}}, "refused to answer"),
        ({"message": {"content": "YES", "tool_calls": [{"id": "1"}]}}, "called a tool instead of answering"),
        ({"message": {"content": "YES", "function_call": {"name": "f"}}}, "called a tool instead of answering"),
        ({"message": {"content": 7}}, "sent a reply that is not a chat completion"),
        ({"message": "YES"}, "sent a reply that is not a chat completion"),
    ],
)
async def test_an_unfinished_answer_is_none_and_not_asked_for_again(fake: Any, choice: Any, words: str) -> None:
    fake.reply = lambda body: JSONResponse({"choices": [{"message": {"content": "YES"}, **choice}]})
    async with judging(fake.url) as judges:
        assert await judges.ask("j", [says("q")]) == [Invalid("judge_error", f"the judge j {words}")]
    assert len(fake.bodies) == 1


async def test_reasoning_among_the_parts_of_an_answer_is_no_part_of_it(fake: Any) -> None:
    parts = [{"type": "thinking", "text": "NO"}, {"type": "text", "text": "YES"}]
    fake.reply = lambda body: JSONResponse({"choices": [{"message": {"content": parts}}]})
    async with judging(fake.url) as judges:
        assert await judges.ask("j", [says("q")]) == ["YES"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_refusal_is_final_and_its_body_is_not_repeated(fake: Any, status: int) -> None:
    fake.reply = lambda body: JSONResponse({"error": f"bad: {body['messages']}"}, status)
    async with judging(fake.url) as judges:
        (answer,) = await judges.ask("j", [says("my secret prompt")])
    assert answer == Invalid("judge_error", f"the judge j refused the request with status {status}")
    assert len(fake.bodies) == 1


@pytest.mark.parametrize(
    ("message", "passed_on"),
    [
        ("The model m does not exist", True),
        ("bad request: my zebra", False),
        ("bad value 'ZEBRA'", False),
        ("Incorrect: zebra\\nprompt", False),
        ("too many: 4711", False),
        ("x" * 500, True),
        ("", False),
    ],
)
async def test_the_message_of_a_refusal_is_passed_on_if_it_repeats_nothing(
    fake: Any, message: str, passed_on: bool
) -> None:
    fake.reply = lambda body: JSONResponse({"error": {"message": message}}, 400)
    async with judging(fake.url) as judges:
        (answer,) = await judges.ask("j", [says("the zebra prompt, 4711")])
    assert isinstance(answer, Invalid)
    shown = message if len(message) <= 200 else f"{message[:200]}…"
    assert answer.message == f"the judge j refused the request with status 400{f': {shown}' if passed_on else ''}"


@pytest.mark.parametrize("status", [401, 403])
async def test_the_message_about_a_key_is_never_passed_on(fake: Any, status: int) -> None:
    fake.reply = lambda body: JSONResponse({"error": {"message": "Incorrect API key provided: sk-1"}}, status)
    async with judging(fake.url) as judges:
        assert await judges.ask("j", [says("q")]) == [
            Invalid("judge_error", f"the judge j refused the request with status {status}")
        ]


def without(*refused: str, param: bool = True) -> Callable[[dict[str, Any]], Response | str]:
    """A server that refuses these parameters."""

    def reply(body: dict[str, Any]) -> Response | str:
        found = next((name for name in refused if name in body), None)
        if found is None:
            return "YES"
        message = f"Unsupported parameter: '{found}' is not supported with this model."
        return JSONResponse({"error": {"message": message, **({"param": found} if param else {})}}, 400)

    return reply


@pytest.mark.parametrize("param", [True, False])
async def test_a_parameter_that_is_refused_is_left_out_from_then_on(fake: Any, param: bool) -> None:
    fake.reply = without("max_tokens", "temperature", "response_format", param=param)
    async with judging(fake.url, max_tokens=9, retries=0) as judges:
        schema = {"type": "object"}
        assert await judges.ask("j", [says("q")], 0.0, None, schema) == ["YES"]
        assert len(fake.bodies) == 4
        assert await judges.ask("j", [says("r")], 0.0, None, schema) == ["YES"]
    assert len(fake.bodies) == 5
    assert fake.bodies[-1] == {"model": "m", "messages": says("r"), "max_completion_tokens": 9}


async def test_what_is_learnt_of_a_server_is_said_once_in_the_log(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, dict[str, Any]]] = []

    class Log:
        def warning(self, event: str, **told: Any) -> None:
            said.append((event, told))

    monkeypatch.setattr(parameters, "log", Log())
    fake.reply, fake.together = without("max_tokens"), 4
    async with judging(fake.url, max_tokens=9) as judges:
        assert await judges.ask("j", [says(str(i)) for i in range(8)]) == ["YES"] * 8
    told = {"judge": "j", "parameter": "max_tokens", "sent_instead": "max_completion_tokens"}
    assert said == [("judge_refuses_parameter", told)]


async def test_what_is_refused_under_either_name_is_not_sent(fake: Any) -> None:
    fake.reply = without("max_tokens", "max_completion_tokens")
    async with judging(fake.url, max_tokens=9) as judges:
        assert await judges.ask("j", [says(str(i)) for i in range(8)]) == ["YES"] * 8
    assert "max_completion_tokens" not in fake.bodies[-1]


async def test_a_refusal_that_names_what_was_not_sent_is_final(fake: Any) -> None:
    fake.reply = lambda body: JSONResponse({"error": {"message": "bad max_tokens", "param": "max_tokens"}}, 400)
    async with judging(fake.url) as judges:
        assert code((await judges.ask("j", [says("q")]))[0]) == "judge_error"
    assert len(fake.bodies) == 1


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens=100000 cannot be greater than max_model_len=4096. (parameter=max_tokens, value=100000)",
        "'max_tokens' or 'max_completion_tokens' is too large: 9. This model's maximum context length is 8 tokens.",
        "max_tokens: 9 > 8, which is the maximum allowed number of output tokens",
        "temperature: range: 0..1",
    ],
)
async def test_a_value_that_is_refused_is_not_learnt_as_a_parameter(fake: Any, message: str) -> None:
    fake.reply = in_turn(JSONResponse({"error": {"message": message}}, 400), "YES")
    async with judging(fake.url, max_tokens=9, temperature=0.5) as judges:
        assert code((await judges.ask("j", [says("q")]))[0]) == "judge_error"
        assert await judges.ask("j", [says("r")]) == ["YES"]
    assert [(body["max_tokens"], body["temperature"]) for body in fake.bodies] == [(9, 0.5)] * 2


async def test_only_what_is_configured_is_sent(fake: Any) -> None:
    async with judging(fake.url, temperature=None, structured=False) as judges:
        await judges.ask("j", [says("q")], None, None, {"type": "object"})
    assert fake.bodies == [{"model": "m", "messages": says("q")}]


async def test_a_connection_that_is_cut_is_asked_again(cut_once: str) -> None:
    async with judging(cut_once) as judges:
        assert await judges.ask("j", [says("q")]) == ["YES"]


async def test_the_number_of_tries_is_bounded(fake: Any) -> None:
    fake.reply = in_turn(Response(status_code=500))
    async with judging(fake.url, retries=2) as judges:
        assert code((await judges.ask("j", [says("q")]))[0]) == "judge_error"
    assert len(fake.bodies) == 3


async def test_retry_after_is_respected(fake: Any) -> None:
    fake.reply = in_turn(Response(status_code=429, headers={"retry-after": "1"}), "YES")
    started = asyncio.get_running_loop().time()
    async with judging(fake.url) as judges:
        assert await judges.ask("j", [says("q")]) == ["YES"]
    assert asyncio.get_running_loop().time() - started >= 1.0


async def test_a_wait_beyond_the_deadline_is_not_begun(fake: Any) -> None:
    fake.reply = in_turn(Response(status_code=429, headers={"retry-after": "3600"}))
    async with judging(fake.url) as judges:
        (answer,) = await judges.ask("j", [says("q")], 0.0, in_time(3600))
    assert answer == Invalid("judge_error", "the judge j is rate limiting requests (status 429)")


async def test_a_deadline_ends_what_is_under_way_and_what_waits(fake: Any, clock: Clock) -> None:
    fake.slow_s = 3600.0
    async with judging(fake.url, concurrency=2, timeout_s=3600) as judges:
        asking = asyncio.create_task(judges.ask("j", [says(str(i)) for i in range(4)], 0.0, in_time(600)))
        await until(lambda: fake.running == 2)
        await clock.advance(601)
        answers = await asking
    assert [code(answer) for answer in answers] == ["deadline_exceeded"] * 4
    assert len(fake.bodies) == 2


async def test_an_answer_that_takes_too_long_is_a_reason_and_not_asked_for_again(fake: Any, clock: Clock) -> None:
    fake.slow_s = 3600.0
    async with judging(fake.url, timeout_s=600) as judges:
        asking = asyncio.create_task(judges.ask("j", [says("q")]))
        await until(lambda: fake.running)
        await clock.advance(601)
        (answer,) = await asking
    assert answer == Invalid("judge_error", "the judge j did not answer within 600 s")
    assert len(fake.bodies) == 1


async def test_no_more_questions_are_under_way_than_allowed(fake: Any) -> None:
    fake.slow_s, fake.together = 0.05, 3
    async with judging(fake.url, concurrency=3) as judges:
        await judges.ask("j", [says(str(i)) for i in range(12)])
    assert fake.most_running == 3


async def test_a_rate_spreads_the_questions_over_time(fake: Any) -> None:
    started = asyncio.get_running_loop().time()
    async with judging(fake.url, rate="5/second") as judges:
        assert await judges.ask("j", [says(str(i)) for i in range(11)]) == ["YES"] * 11
    assert asyncio.get_running_loop().time() - started >= 1.9


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Response("not json", media_type="application/json"), "sent a reply that is not a chat completion"),
        (JSONResponse({"choices": []}), "answered without text"),
        (JSONResponse([1]), "sent a reply that is not a chat completion"),
        (JSONResponse({"error": {"message": "my secret"}}), "answered with an error (status 200)"),
        (JSONResponse({"choices": [{"message": {"content": None}}]}), "answered without text"),
        (JSONResponse({"choices": [{"message": {"content": "  "}}]}), "answered without text"),
        (Response(b"x" * (9 << 20), media_type="application/json"), "sent an answer over the size limit"),
    ],
)
async def test_what_is_no_answer_is_a_reason(fake: Any, reply: Response, words: str) -> None:
    fake.reply = lambda body: reply
    async with judging(fake.url, retries=0) as judges:
        assert await judges.ask("j", [says("q")]) == [Invalid("judge_error", f"the judge j {words}")]


async def test_a_redirect_is_not_followed(fake: Any) -> None:
    fake.reply = lambda body: RedirectResponse("http://169.254.169.254/latest", 307)
    async with judging(fake.url) as judges:
        (answer,) = await judges.ask("j", [says("q")])
    assert isinstance(answer, Invalid)
    assert "answered with a redirect" in answer.message
    assert len(fake.bodies) == 1


async def test_one_failure_stays_with_its_question(fake: Any) -> None:
    fake.reply = lambda body: Response(status_code=400) if "bad" in body["messages"][-1]["content"] else "YES"
    async with judging(fake.url) as judges:
        good, bad, other = await judges.ask("j", [says("a"), says("bad"), says("c")])
    assert (good, code(bad), other) == ("YES", "judge_error", "YES")


async def test_a_judge_that_is_away_is_left_alone_for_a_moment_and_found_again(fake: Any, clock: Clock) -> None:
    fake.reply = in_turn(Response(status_code=500))
    async with judging(fake.url, failures=3, retries=0) as judges:
        for i in range(6):
            await judges.ask("j", [says(str(i))])
        assert len(fake.bodies) == 3
        fake.reply = lambda body: "YES"
        await clock.advance(PAUSE_S + 1)
        assert await judges.ask("j", [says("q")]) == ["YES"]


async def test_a_judge_that_nobody_serves_is_a_reason() -> None:
    async with judging("http://127.0.0.1:9", retries=1) as judges:
        assert await judges.ask("j", [says("q")]) == [Invalid("judge_error", "the judge j cannot be reached")]


async def test_images_and_lone_surrogates_travel(fake: Any) -> None:
    part = {"type": "image_url", "image_url": {"url": PIXEL}}
    asked = [{"role": "user", "content": [part, {"type": "text", "text": "\ud800"}]}]
    async with judging(fake.url) as judges:
        assert await judges.ask("j", [asked]) == ["YES"]
    assert fake.bodies[0]["messages"] == asked
