"""OpenAI chat completions for trainers that ask a judge: a recipe answers with its number, or a judge with its words.

``model`` names a recipe, or a judge of the judges file; any other name is the default recipe. The last message is the
response that a recipe scores, those before it are the prompt. The number stands in the recipe's ``answer_template``,
or after ``Final Score:``.
"""

from typing import Any

import orjson
from msgspec import Struct
from starlette.responses import Response

from reward_gateway.errors import InvalidRequest

from .dialect import Dialect
from .error_formats import OPENAI
from .policy import Policy
from .request import DialectRequest
from .texts import exchange, messages
from .usage import now

dialect = Dialect(
    Policy(
        name="judge",
        title="OpenAI chat completions, answered by a recipe",
        clients=("RLinf", "ms-swift", "ROLL", "SkyRL", "verifiers", "verl's generative rewards"),
        prefix="judge",
        deadline_s=110.0,
        error_format=OPENAI,
    )
)
router = dialect.router

TEMPLATE = "Final Score: {reward}"


class ChatRequest(Struct):
    """A conversation; sampling parameters are for judges, recipes have none."""

    messages: list[Any]
    model: str | None = None
    reward: str | None = None
    temperature: float | None = None
    stream: bool = False
    n: int | None = None


class Choice(Struct):
    """The only answer."""

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
async def chat_completions(ask: DialectRequest, body: ChatRequest) -> Any:
    """The reward of a conversation's last message, in words."""
    if body.n is not None and body.n != 1:
        raise InvalidRequest("n: one choice is given", param="n")
    if body.reward is None and body.model is not None and ask.is_judge(body.model):
        messages(body.messages, "messages")
        name, content = body.model, await ask.judge(body.model, body.messages, body.temperature)
    else:
        scores = await ask.score([exchange(body.messages, "messages")], body.reward, body.model)
        name = scores.plan.name
        content = (scores.plan.answer_template or TEMPLATE).replace("{reward}", decimal(scores.numbers()[0]))
    if body.stream:
        return _streamed(ask.id, name, content)
    message = {"role": "assistant", "content": content, "refusal": None}
    return {
        **_head(ask.id, name, "chat.completion"),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }


def decimal(value: float) -> str:
    """A number as judges write it: at most six decimals, never an exponent."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _head(name: str, model: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{name}", "object": kind, "created": now(), "model": model}


def _streamed(name: str, model: str, content: str) -> Response:
    """Server-sent events: the words at once, then the end."""
    head = _head(name, model, "chat.completion.chunk")
    deltas: list[tuple[dict[str, Any], str | None]] = [({"role": "assistant", "content": content}, None), ({}, "stop")]
    chunks = [
        {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}]}
        for delta, end in deltas
    ]
    events = b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    return Response(events, media_type="text/event-stream")
