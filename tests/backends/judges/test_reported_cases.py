"""Replies and refusals of judges' servers, made from public bug reports and from neighbours of theirs, over HTTP.

``reported_cases.jsonl`` has those of a kind that the named report tells of, ``neighbours.jsonl`` others. One a line:
where it is sent, how a judge's server answers (``replies`` in turn, the last again), how the judge is configured, and
what is wanted: of the answer, and of what the server was sent. The classes:

=============  =====  ====================================================================================
class          cases  what must not happen
=============  =====  ====================================================================================
unfinished        26  a cut, refused, filtered or empty answer is a number
reasoning          6  a draft is a verdict
quotation          5  what the judge quotes is its verdict
one verdict       11  two verdicts are one, a longer line is one of its words
grade             37  a number of something else, or of another scale, is the grade
published          6  a lone digit is read where no published parser is wanted
structured         5  a schema is not asked for, or a refused one is asked for again
expected          14  a grade without probabilities of its own place is an expected one
delimiters        11  what is judged ends its own section, or hides its turns and calls
images             7  an image has the wrong type, way up, size or grey
parameters        13  a server is sent what it refuses, or at another address
retries           19  a failure that passes is final, one that stays is asked again, a message tells too much
spending           5  an unread answer costs nothing, a cached one something
=============  =====  ====================================================================================
"""

import base64
import io
import json
import math
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from reward_gateway.backends.judges.config import JudgeConfig
from reward_gateway.backends.judges.judges import Judges
from reward_gateway.cache.breaker import Breaker
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.cache.null import NullCache
from reward_gateway.cache.texts import TextCache
from reward_gateway.gateway import Gateway
from reward_gateway.http.app import create_app
from reward_gateway.recipes.book import load_book
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.settings import Settings
from reward_gateway.state.store import StateStore
from starlette.responses import JSONResponse, Response

from tests.contract import HttpContract

from .conftest import FakeJudge, serve_judge
from .test_through_http import NoModels

pytestmark = pytest.mark.anyio

RECIPES = """
rewards:
  rubric: {components: {grade: {score: judge_rubric}}}
  drawn: {components: {grade: {score: judge_rubric, params: {temperature: 0.7}}}}
  samples: {components: {grade: {score: judge_rubric, params: {temperature: 0.7, samples: 2}}}}
  expected: {components: {grade: {score: judge_rubric, params: {low: 0, high: 9, grade: expected}}}}
  ref: {components: {same: {score: judge_reference}}}
  robo: {components: {progress: {score: roboreward, params: {judge: judge}, inputs: {task: {sample: prompt}}}}}
  turns:
    components:
      process:
        score: pprm
        params: {judge: judge}
        inputs: {question: {sample: prompt}, turns: {sample: steps}}
        transforms: [{aggregate: {how: min}}]
"""
NAMES = {"graders": "j", "roboreward": "roboreward", "pprm": "pprm", "opinion_rm": "default"}
"""A part of an address -> the judge that is asked there by default; elsewhere it is ``judge``."""


def read_cases(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(__file__).with_name(name).read_text("utf-8").splitlines()]


CASES = read_cases("reported_cases.jsonl") + read_cases("neighbours.jsonl")


def test_the_table_counts_the_cases() -> None:
    rows = re.findall(r"^(\S.*?)  +(\d+)  \S", __doc__ or "", re.MULTILINE)
    assert {name: int(count) for name, count in rows} == Counter(case["class"] for case in CASES)


def make_answer(reply: dict[str, Any], asked: dict[str, Any]) -> Response:
    """What a server says: ``raw`` bytes, a refusal of a parameter that was sent, or a chat completion."""
    refused = reply.get("refuse_param")
    if refused in asked:
        words = f"Unsupported parameter: '{refused}' is not supported with this model."
        return JSONResponse({"error": {"message": words, "param": refused}}, 400)
    if "raw" in reply:
        return Response(reply["raw"], reply.get("status", 200), reply.get("headers"), media_type="application/json")
    beside = ("refusal", "tool_calls", "reasoning", "reasoning_content")
    message = {"role": "assistant", "content": reply["content"], **{k: reply[k] for k in beside if k in reply}}
    choice: dict[str, Any] = {"message": message, "finish_reason": reply.get("finish", "stop")}
    if "tokens" in reply:
        choice["logprobs"] = {"content": [make_token(token) for token in reply["tokens"]]}
    prompt, completion = reply.get("usage", (0, 0))
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    return JSONResponse({"model": "m-1", "choices": [choice], "usage": usage})


def make_token(token: dict[str, Any]) -> dict[str, Any]:
    return {
        "token": token["token"],
        "logprob": math.log(token["alternatives"].get(token["token"], 1e-9)),
        "top_logprobs": [{"token": text, "logprob": math.log(p)} for text, p in token["alternatives"].items()],
    }


@pytest.fixture(scope="module")
async def service() -> AsyncIterator[tuple[EffectsRuntime, HttpContract]]:
    """The service, in which every case sets its own judges."""
    runtime = EffectsRuntime(CachedScorer(NoModels(), NullCache()), StateStore.in_process())  # type: ignore[arg-type]
    yield runtime, HttpContract(create_app(Gateway(load_book(RECIPES), runtime), Settings()))
    await runtime.close()


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[FakeJudge]:
    async with serve_judge() as judge:
        yield judge


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
async def test_a_judge_gives_what_it_gave_alone(
    service: tuple[EffectsRuntime, HttpContract], server: FakeJudge, case: dict[str, Any]
) -> None:
    replies = list(case.get("replies", ()))
    server.forget()
    server.reply = lambda body: make_answer(replies.pop(0) if len(replies) > 1 else replies[0], body)
    settings = dict(case.get("judge", {}))
    base_url = server.url + settings.pop("base_path", "")
    names = [name for part, name in NAMES.items() if part in case["path"]]
    configs = [JudgeConfig(name=name, base_url=base_url, model="m", **settings) for name in ("judge", *names)]
    answers = TextCache(MemoryCache(1000, 60.0))
    runtime, contract = service
    runtime.judges = Judges(configs, lambda changed: Breaker(100, time.monotonic, changed=changed), answers=answers)
    want = case["want"]
    async with contract.client() as client:
        started = time.monotonic()
        answer = await client.post(case["path"], json=case["body"])
        assert time.monotonic() - started >= want.get("waited", 0.0)
        check_answer(answer, want, case["why"])
        if "again" in want:
            check_answer(await client.post(case["path"], json=case["body"]), want["again"], case["why"])
    await runtime.judges.close()
    assert len(server.bodies) == want.get("calls", len(server.bodies)), case["why"]
    check_sent(server, want, case["why"])


def check_answer(answer: httpx.Response, want: dict[str, Any], why: str) -> None:
    assert answer.status_code == want.get("status", 200), (why, answer.text)
    body = answer.json()
    if "status" in want:
        assert "error" in body, why
        return
    if "reward" in want:
        assert body["reward"] == pytest.approx(want["reward"]), why
    results = body.get("results", [])
    rewards = [result.get("reward") for result in results]
    if "rewards" in want:
        assert rewards == pytest.approx(want["rewards"]), (why, body)
        assert (
            all((result["error"] is None) == (result["reward"] is not None) for result in results) or "vectors" in want
        )
    if "some" in want:  # in whichever order the questions came
        assert sorted(rewards, key=str) == pytest.approx(sorted(want["some"], key=str)), why
    if "vectors" in want:
        vectors = [result.get("rewards") for result in results]
        assert json.dumps(vectors) == json.dumps(want["vectors"]), (why, body)
    codes = [result["error"]["code"] for result in results if result["error"]]
    if "code" in want:
        assert rewards == [None] * len(results), (why, body)
        assert set(codes) == {want["code"]}, (why, body)
    assert sorted(codes) == want.get("codes", sorted(codes)), why
    messages = [result["error"]["message"] for result in results if result["error"]]
    assert all(want.get("message", "") in message for message in messages), (why, messages)
    assert not any(want.get("message_without", "\0") in message for message in messages), why
    if "flags" in want:
        flags = [result.get("flags") or result.get("details", {}).get("flags") for result in results]
        assert flags == [want["flags"]] * len(results), why
    for key, value in want.get("details", {}).items():
        assert [result["details"][key] for result in results] == [value] * len(results), why
    assert body.get("usage") == want.get("usage", body.get("usage")), why


def check_sent(server: FakeJudge, want: dict[str, Any], why: str) -> None:
    last = server.bodies[-1] if server.bodies else {}
    assert {key: last.get(key) for key in want.get("sent", {})} == want.get("sent", {}), why
    assert not last.keys() & set(want.get("not_sent", ())), why
    assert sorted(last) == want.get("keys", sorted(last)), why
    if "schema" in want:
        assert list(last["response_format"]["json_schema"]["schema"]["properties"]) == want["schema"], why
    if "to" in want:
        assert server.paths[-1] == want["to"], why
    shown = json.dumps([body["messages"] for body in server.bodies], ensure_ascii=False)
    assert json.dumps(want.get("asked", ""), ensure_ascii=False)[1:-1] in shown, why
    assert want.get("asked_without", "\0") not in shown, why
    if "images" in want:
        urls = [part["image_url"]["url"] for part in last["messages"][0]["content"] if part["type"] == "image_url"]
        heads, datas = zip(*(url.split(",") for url in urls), strict=True)
        assert list(heads) == [f"data:image/{kind};base64" for kind in want["images"]], why
        for data, kind in zip(datas, want["images"], strict=True):
            image = Image.open(io.BytesIO(base64.b64decode(data)))
            assert (image.format or "").lower() == kind, why
            assert list(image.size) == want.get("size", list(image.size)), why
            assert image.getpixel((0, 0)) == want.get("pixel", image.getpixel((0, 0))), why
