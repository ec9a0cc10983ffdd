"""inspect_ai: a scorer.

    from reward_gateway.client.adapters.inspect_ai import reward
    Task(dataset, solver, scorer=reward("RECIPE", url="http://HOST:8080"))

The prompt is the sample's input, the response the output's completion, the reference its target (several targets are
several accepted answers). The recipe's components are the score's metadata. A sample that cannot be scored is
``Score.unscored``, with the reason, which metrics leave out; a service that stays away longer than
``REWARD_GATEWAY_TIMEOUT_S`` (120) is the sample's error.
"""

import json
from typing import Any

from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState

from reward_gateway.client.adapters.rows import make_sample
from reward_gateway.client.adapters.service import Service, explain_failure, optional_number


@scorer(metrics=[mean(), stderr()])  # type: ignore[untyped-decorator]
def reward(
    recipe: str | None = None, url: str | None = None, api_key: str | None = None, timeout_s: float | None = None
) -> Scorer:
    """The reward by a recipe; what is not given comes from the environment."""
    service = Service.of(url, recipe, api_key, timeout_s)

    async def score(state: TaskState, target: Target) -> Score:
        references = [text for text in target if text]
        reference = references[0] if len(references) == 1 else references or None
        asked, told = _read_input(state.input), getattr(state, "metadata", None)
        one = await service.score_one(make_sample(asked, state.output.completion, reference, rows=[told]))
        number = optional_number(one)
        if number is None:
            return Score.unscored(answer=state.output.completion, explanation=explain_failure(one))
        return Score(value=number, answer=state.output.completion, metadata=dict(one.components))

    return score


def _read_input(given: Any) -> Any:
    """The input for the wire: a text, or messages with what they hold."""
    return given if isinstance(given, str) else [_read_message(message) for message in given]


def _read_message(message: Any) -> dict[str, Any]:
    calls = [_read_call(call) for call in getattr(message, "tool_calls", None) or ()]
    fields = {"tool_calls": calls, "tool_call_id": getattr(message, "tool_call_id", None)}
    content = message.content if isinstance(message.content, str) else [_read_part(part) for part in message.content]
    if len(content) == 1 and isinstance(content, list) and content[0]["type"] == "text":
        content = content[0]["text"]
    return {"role": message.role, "content": content, **{name: value for name, value in fields.items() if value}}


def _read_call(call: Any) -> dict[str, Any]:
    function = {"name": call.function, "arguments": json.dumps(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def _read_part(part: Any) -> dict[str, Any]:
    """A part of a message. What no recipe reads (sound, videos, documents) is sent as such, and flags the sample."""
    match part.type:
        case "text":
            return {"type": "text", "text": part.text}
        case "image":
            return {"type": "image_url", "image_url": {"url": part.image}}
        case "reasoning":
            return {"type": "thinking", "thinking": part.reasoning}
        case kind:
            return {"type": "file", "file": {"kind": kind}}
