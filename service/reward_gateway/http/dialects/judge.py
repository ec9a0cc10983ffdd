"""OpenAI chat completions for trainers that call a judge: answered by a recipe with its reward, or by a judge.

``model`` names a recipe, or a judge of the judges file; any other name is the default recipe. The last message is the
response that a recipe scores, those before it are the prompt. The reward is written into the recipe's
``answer_template``, by default after ``Final Score:``.
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
from .texts import parse_messages, split_conversation
from .usage import unix_time

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
    """The reward of a conversation's last message, as text."""
    if body.n is not None and body.n != 1:
        raise InvalidRequest("n: only 1 is supported", param="n")
    if body.reward is None and body.model is not None and request.is_judge(body.model):
        parse_messages(body.messages, "messages")
        name, content = body.model, await request.judge(body.model, body.messages, body.temperature)
    else:
        scores = await request.score([split_conversation(body.messages, "messages")], body.reward, body.model)
        name = scores.plan.name
        content = (scores.plan.answer_template or TEMPLATE).replace("{reward}", format_decimal(scores.numbers()[0]))
    if body.stream:
        return _stream_content(request.id, name, content)
    message = {"role": "assistant", "content": content, "refusal": None}
    return {
        **_completion_head(request.id, name, "chat.completion"),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }


def format_decimal(value: float) -> str:
    """Format a number as judges write it: at most six decimals, never an exponent."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


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
