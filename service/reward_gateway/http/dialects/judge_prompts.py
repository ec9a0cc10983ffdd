"""What a trainer asks a judge, read as a sample: a conversation with an answer, or one message that holds both."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from reward_gateway.errors import InvalidRequest, Unscorable
from reward_gateway.intake.chat_text import TextSample, prompt_of
from reward_gateway.intake.request import SampleItem
from reward_gateway.recipes.judging import Reading
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample import POLICY_ROLES
from reward_gateway.sample.messages import ChatMessage, ImageUrl, ImageUrlPart, MediaObject, Part, TextPart

from .request import DialectRequest
from .texts import parse_messages, plain_if_single, split_conversation

_FIELDS = {"question": "prompt", "response": "response", "reference": "reference"}
"""What a pattern reads -> the field of the sample."""


async def read_prompt(request: DialectRequest, plan: Plan, messages: Sequence[ChatMessage]) -> SampleItem:
    """The sample of a conversation that ends with a question to the judge.

    Where the recipe has patterns, they split the last message, and what stands before it is the judge's instruction.
    Else the conversation is the prompt, if the recipe reads no response. A single message that a chat template rendered
    is read back: it is the conversation that it holds, with the response if the recipe reads one. Images become the
    field that the recipe reads.

    Raises:
        InvalidRequest: there is no answer to score in it.
        Unscorable: a pattern does not match, or takes too long.
    """
    texts, images = lift_images(messages)
    readings = plan.judge.readings
    if readings:
        content = texts[-1].content or ""
        if not isinstance(content, str):
            content = "".join(part.text for part in content if isinstance(part, TextPart))
        sample = SampleItem()
        for name, value in (await _split(request, readings, content)).items():
            setattr(sample, name, value)
    else:
        sample = await _read_conversation_of(request, plan, texts)
    place_images(sample, plan, images)
    return sample


async def _read_conversation_of(request: DialectRequest, plan: Plan, messages: list[ChatMessage]) -> SampleItem:
    """The sample of a judge's prompt that no pattern splits. Raises InvalidRequest if there is no answer to score."""
    prompt = plain_if_single(messages, "user")
    rendered = await request.read_rendered(plan, prompt) if isinstance(prompt, str) else None
    if not reads_response(plan):
        return SampleItem(prompt=prompt_of(rendered.turns) if rendered is not None and rendered.turns else prompt)
    answer = rendered.answer if rendered is not None else None
    if isinstance(prompt, str) and answer is not None and (answer.content or answer.reasoning):
        return TextSample(response=prompt)
    raise InvalidRequest(
        f"messages: the last message is no answer, and {plan.name} scores answers: send the answer as an assistant "
        "message, or let the recipe say where it stands in a judge's prompt (judge: {question: …, response: …})",
        param="messages",
    )


def read_chat(plan: Plan, value: Any, param: str) -> SampleItem:
    """The sample of a chat that a classifier's client sends: its last message is the response, or, where the recipe
    reads none, a question. Its images become the field that the recipe reads.

    Raises:
        InvalidRequest: it is no chat.
    """
    messages = parse_messages(value, param)
    if messages and messages[-1].role not in POLICY_ROLES and not reads_response(plan):
        texts, images = lift_images(messages)
        sample = SampleItem(prompt=plain_if_single(texts, "user"))
        place_images(sample, plan, images)
        return sample
    if messages[1:] and _media_field(plan) == "frames":
        return read_conversation(plan, messages)
    return split_conversation(value, param, whole=True)


def read_conversation(plan: Plan, messages: Sequence[ChatMessage]) -> SampleItem:
    """The sample of a conversation whose last message is the answer; images become frames if the recipe reads those."""
    images: list[str | MediaObject] = []
    if _media_field(plan) == "frames":
        messages, images = lift_images(messages)
    sample = SampleItem(
        prompt=plain_if_single(list(messages[:-1]), "user"), response=plain_if_single(list(messages[-1:]), "assistant")
    )
    place_images(sample, plan, images)
    return sample


def reads_response(plan: Plan) -> bool:
    """Whether anything in the recipe reads the response."""
    return "response" in plan.inputs or "messages" in plan.inputs


def lift_images(messages: Sequence[ChatMessage]) -> tuple[list[ChatMessage], list[str | MediaObject]]:
    """The messages without their images, and these in the order of reading. Parts that are texts alone become one."""
    without: list[ChatMessage] = []
    images: list[str | MediaObject] = []
    for message in messages:
        if isinstance(message.content, list):
            rest: list[Part] = []
            for part in message.content:
                if isinstance(part, ImageUrlPart):
                    images.append(part.image_url.url if isinstance(part.image_url, ImageUrl) else part.image_url)
                else:
                    rest.append(part)
            texts = [part.text for part in rest if isinstance(part, TextPart)]
            message = replace(message, content="".join(texts) if len(texts) == len(rest) else rest)
        without.append(message)
    return without, images


def place_images(sample: SampleItem, plan: Plan, images: list[str | MediaObject]) -> None:
    """Put images into the field that the recipe reads."""
    if images:
        setattr(sample, _media_field(plan), images)


def _media_field(plan: Plan) -> str:
    return "frames" if "frames" in plan.inputs and "images" not in plan.inputs else "images"


async def _split(request: DialectRequest, readings: Sequence[Reading], text: str) -> dict[str, str]:
    """The fields of the sample that the recipe's patterns find in a judge's prompt."""
    found = await request.capture([(reading.pattern, reading.group) for reading in readings], text)
    if found is None:
        raise Unscorable("messages: the patterns of judge take too long on this message; simplify them")
    fields: dict[str, str] = {}
    for reading, value in zip(readings, found, strict=True):
        if value is None:
            raise Unscorable(f"messages: judge.{reading.field} does not match the last message")
        fields[_FIELDS[reading.field]] = value
    return fields
