"""OpenAI chat completions for trainers that call a judge: answered by a recipe with its reward, or by a judge.

``model`` names a recipe (or an alias, or a served model), or a judge of the judges file; any other name is refused. If
the last message is the assistant's, it is the response that a recipe scores, and those before it are the prompt. Else
it is a judge's prompt, which holds both: ``judge:`` of the recipe says where (:mod:`.judge_prompts`), and in which
words the reward is given, by default after ``Final Score:``. Prompts of ART's RULER are known by their form.
"""

from functools import partial
from typing import Any

import orjson
from msgspec import Struct
from starlette.responses import Response

from reward_gateway.errors import InvalidRequest
from reward_gateway.operations.judge_questions import JudgeQuestion
from reward_gateway.sample.messages import ChatMessage

from .dialect import Dialect
from .error_formats import OPENAI
from .judge_prompts import read_conversation, read_prompt
from .policy import Policy
from .request import DialectRequest
from .ruler import read_trajectories, write_scores
from .texts import parse_messages
from .usage import unix_time

dialect = Dialect(
    Policy(
        name="judge",
        title="OpenAI chat completions, answered by a recipe",
        clients=("RLinf", "ART's RULER", "ms-swift", "ROLL", "SkyRL", "verifiers", "verl's generative rewards"),
        prefix="judge",
        deadline_s=110.0,
        error_format=OPENAI,
        one_sample=True,
    )
)
router = dialect.router


class ChatRequest(Struct):
    """A conversation. Sampling parameters are used by judges and ignored by recipes."""

    messages: list[Any]
    model: str | None = None
    reward: str | None = None
    temperature: float | None = None
    stream: bool = False
    n: int | None = None


class Choice(Struct):
    """The only choice."""

    index: int
    message: dict[str, str | None]
    logprobs: None
    finish_reason: str


class ChatCompletion(Struct):
    """OpenAI's chat completion."""

    id: str
    object: str
    created: int
    model: str
    choices: list[Choice]
    usage: dict[str, int]


@dialect.post(
    "/v1/chat/completions",
    "/chat/completions",
    body=ChatRequest,
    answer=ChatCompletion,
    streams=True,
    example={
        "model": "helpful",
        "messages": [
            {"role": "user", "content": "How do I boil an egg?"},
            {"role": "assistant", "content": "In water, for 8 minutes."},
        ],
    },
)
async def chat_completions(request: DialectRequest, body: ChatRequest) -> Any:
    """The reward of a conversation's last message, or of what a judge's prompt holds, as text."""
    if body.n is not None and body.n != 1:
        raise InvalidRequest("n: only 1 is supported", param="n")
    messages = parse_messages(body.messages, "messages")
    if body.model is not None and request.asks_judge(body.model, body.reward):
        question = JudgeQuestion(body.messages, problem="")  # which part of it is the response is not known
        name, content = body.model, await request.judge(body.model, question, str, body.temperature)
    else:
        name, content = await _answer_with_reward(request, body, messages)
    if body.stream:
        return _stream_content(request.id, name, content)
    message = {"role": "assistant", "content": content, "refusal": None}
    return {
        **_completion_head(request.id, name, "chat.completion"),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }


async def _answer_with_reward(
    request: DialectRequest, body: ChatRequest, messages: list[ChatMessage]
) -> tuple[str, str]:
    """The name of the recipe, and the reward or rewards in its words."""
    if not messages:
        raise InvalidRequest("messages: expected at least one message", param="messages")
    plan = request.plan(body.reward, body.model)
    question = messages[-1]
    if question.role == "assistant":
        sample = read_conversation(plan, messages)
    else:
        text = question.content if isinstance(question.content, str) and not plan.judge.readings else ""
        several = await request.read_apart(partial(read_trajectories, text, request.settings.max_nesting))
        if several is not None:
            ids, samples = several
            return plan.name, write_scores(ids, await request.score(samples, body.reward, body.model))
        if plan.judge.several:
            raise InvalidRequest("messages: the last message is no prompt of RULER", param="messages")
        sample = await read_prompt(request, plan, messages)
    scores = await request.score([sample], body.reward, body.model)
    return plan.name, plan.judge.write_answer(scores.numbers()[0])


def _completion_head(name: str, model: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{name}", "object": kind, "created": unix_time(), "model": model}


def _stream_content(name: str, model: str, content: str) -> Response:
    """Server-sent events: the whole text in one chunk, then the end."""
    head = _completion_head(name, model, "chat.completion.chunk")
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": content}, None), ({}, "stop")]
    chunks = [
        {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}]}
        for delta, end in deltas
    ]
    events = b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    return Response(events, media_type="text/event-stream")
