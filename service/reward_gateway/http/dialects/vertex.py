"""Reinforcement tuning of Gemini on Vertex AI, whose Cloud Run reward posts one sample: ``POST /vertex``.

A sample that cannot be scored is an HTTP error. Google clips rewards to [-1, 1] without a word, which makes a good and
a very good answer equal: a recipe whose range is wider or unknown is refused, unless the address says ``?clip=1``.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from reward_gateway.errors import InvalidRequest
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample.fields import SampleItem
from reward_gateway.sample.messages import ChatMessage, ImageUrlPart, Part, TextPart

from ..openapi import parameter
from .dialect import Dialect
from .policy import Policy
from .references import NAMES as REFERENCES
from .references import pick_reference
from .request import DialectRequest
from .row_metadata import write_metadata
from .texts import plain_if_single

LOW, HIGH = -1.0, 1.0
"""What Google clips rewards to."""

dialect = Dialect(
    Policy(
        name="vertex",
        title="Vertex AI reinforcement tuning",
        clients=("Vertex AI (Cloud Run reward)",),
        prefix="vertex",
        one_sample=True,
    )
)
router = dialect.router


# These are messages in ProtoJSON, whose readers take a field by its camelCase name and by the one in its definition.
# ``own_NAME`` is what came by the latter, and becomes the value of ``NAME``.


class Blob(Struct, rename="camel"):
    """Bytes of a part, as base64."""

    data: str
    mime_type: str = "image/png"
    own_mime_type: str | None = field(default=None, name="mime_type")

    def __post_init__(self) -> None:
        self.mime_type = self.own_mime_type or self.mime_type


class FunctionCall(Struct):
    """A call of a function by the model."""

    name: str
    args: dict[str, Any] = {}


class FunctionResponse(Struct):
    """What a function answered."""

    name: str
    response: Any = None


class ContentPart(Struct, rename="camel"):
    """A text, a thought, an image, or a function's call or answer."""

    text: str | None = None
    thought: bool = False
    inline_data: Blob | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    own_inline_data: Blob | None = field(default=None, name="inline_data")
    own_function_call: FunctionCall | None = field(default=None, name="function_call")
    own_function_response: FunctionResponse | None = field(default=None, name="function_response")

    def __post_init__(self) -> None:
        self.inline_data = self.inline_data or self.own_inline_data
        self.function_call = self.function_call or self.own_function_call
        self.function_response = self.function_response or self.own_function_response


class Content(Struct):
    """One turn."""

    parts: list[ContentPart] = []
    role: Literal["user", "model", "system", "function", "tool", ""] | None = None


class TuningExample(Struct, rename="camel"):
    """A row of the tuning data set."""

    contents: list[Content]
    system_instruction: Content | None = None
    references: dict[str, Any] | None = None
    own_system_instruction: Content | None = field(default=None, name="system_instruction")

    def __post_init__(self) -> None:
        self.system_instruction = self.system_instruction or self.own_system_instruction


class VertexRequest(Struct):
    """An example and the response of the tuned model. ``metadata`` names the step and the tuning job."""

    example: TuningExample
    response: Content
    metadata: dict[str, Any] | None = None


class VertexReward(Struct):
    """The reward; the components that it was made of, and how rules judged, as JSON."""

    reward: Annotated[float, Meta(ge=LOW, le=HIGH)]
    user_requested_aux_info: str | UnsetType = UNSET


@dialect.post(
    "",
    body=VertexRequest,
    answer=VertexReward,
    bare=False,
    parameters=(parameter("clip", "query", "1: clip the rewards of a recipe whose range is not within [-1, 1]."),),
    example={
        "example": {
            "contents": [{"role": "user", "parts": [{"text": "What is the capital of France?"}]}],
            "references": {"answer": "Paris"},
        },
        "response": {"parts": [{"text": "Paris"}]},
        "metadata": {"step": 1, "tuning_job_id": 123456789},
    },
)
async def vertex(request: DialectRequest, body: VertexRequest) -> Any:
    """The reward of one response, in [-1, 1]. No field of the body chooses the recipe."""
    plan = request.plan()
    clips = request.find_query("clip") in ("1", "true")
    if not clips:
        _check_range(plan)
    turns = [
        message
        for i, content in enumerate(body.example.contents)
        for message in _read_turn(content, f"example.contents[{i}]")
    ]
    if body.example.system_instruction is not None:
        text = "\n".join(part.text for part in body.example.system_instruction.parts if part.text is not None)
        turns.insert(0, ChatMessage("system", text))
    sample = SampleItem(
        prompt=plain_if_single(turns, "user"),
        response=_read_response(body.response),
        reference=pick_reference(body.example.references, "example.references", needed="reference" in plan.inputs),
        metadata=write_metadata(body.example.references, body.metadata, without=REFERENCES),
    )
    scores = await request.score([sample])
    reward = scores.numbers()[0]
    components = msgspec.json.encode(scores.component_row(0) | scores.verdict_row(0)).decode()
    return {"reward": min(max(reward, LOW), HIGH) if clips else reward, "user_requested_aux_info": components}


def _check_range(plan: Plan) -> None:
    """Raise InvalidRequest unless every reward of the recipe is within what Google leaves as it is."""
    if plan.range is not None and plan.range[0] >= LOW and plan.range[1] <= HIGH:
        return
    is_range = f"is [{plan.range[0]:g}, {plan.range[1]:g}]" if plan.range is not None else "is not known"
    raise InvalidRequest(
        f"Vertex AI clips rewards to [-1, 1], and the range of this recipe {is_range}: transform its reward, state its "
        "range: in the recipe file, or append ?clip=1 to the address",
        param="reward",
    )


def _read_response(content: Content) -> str | list[ChatMessage] | None:
    turns = _read_turn(Content(content.parts, "model"), "response")
    plain = turns[0].reasoning_content is None and turns[0].tool_calls is UNSET
    return plain_if_single(turns, "assistant") if plain else turns


def _read_turn(content: Content, param: str) -> list[ChatMessage]:
    """A turn as messages: one, and one more for every function's answer in it."""
    parts: list[Part] = []
    thoughts: list[str] = []
    calls: list[dict[str, Any]] = []
    answers: list[ChatMessage] = []
    for k, part in enumerate(content.parts):
        if part.text is not None:
            if part.thought:
                thoughts.append(part.text)
            else:
                parts.append(TextPart(part.text))
        elif part.inline_data is not None and part.inline_data.mime_type.startswith("image/"):
            parts.append(ImageUrlPart(f"data:{part.inline_data.mime_type};base64,{part.inline_data.data}"))
        elif part.function_call is not None:
            arguments = msgspec.json.encode(part.function_call.args).decode()
            calls.append({"type": "function", "function": {"name": part.function_call.name, "arguments": arguments}})
        elif part.function_response is not None:
            answer = msgspec.json.encode(part.function_response.response).decode()
            answers.append(ChatMessage("tool", answer, name=part.function_response.name))
        else:
            where = f"{param}.parts[{k}]"
            raise InvalidRequest(f"{where}: expected a text, an inline image or a function's call", param=where)
    if answers and not parts:
        return answers
    role = "assistant" if content.role == "model" else "system" if content.role == "system" else "user"
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    message = ChatMessage(
        role,
        "".join(texts) if len(texts) == len(parts) else parts,
        tool_calls=Raw(msgspec.json.encode(calls)) if calls else UNSET,
        reasoning_content="".join(thoughts) if thoughts else None,
    )
    return [message, *answers]
