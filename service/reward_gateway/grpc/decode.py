"""Messages to a batch: the samples take the form that JSON has, and then the one way that HTTP's take.

So limits, chat messages, missing ids and step scores mean the same over both. Only images differ: they
are bytes here, and are checked as bytes.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from reward_gateway.errors import InvalidRequest
from reward_gateway.gateway import ScoreOptions
from reward_gateway.intake.batch_builder import BatchBuilder
from reward_gateway.intake.media import MediaLimits, from_bytes, from_text
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.sample import Batch, Invalid, Media
from reward_gateway.sample.fields import SampleItem
from reward_gateway.sample.messages import ChatMessage, ImageUrlPart, Part, StepItem, TextPart
from reward_gateway.settings import Settings
from reward_gateway.traffic.deadlines import milliseconds

from .values import number, plain_list

_ON_INVALID: dict[int, Any] = {
    pb.Options.ON_INVALID_UNSPECIFIED: None,
    pb.Options.ON_INVALID_NULL: "null",
    pb.Options.ON_INVALID_FAIL: "fail",
    pb.Options.ON_INVALID_DEFAULT: "default",
}
_CACHE: dict[int, Any] = {
    pb.Options.CACHE_UNSPECIFIED: "use",
    pb.Options.CACHE_USE: "use",
    pb.Options.CACHE_REFRESH: "refresh",
    pb.Options.CACHE_OFF: "off",
}


def score_options(options: pb.Options) -> ScoreOptions:
    """What the options ask for; the deadline is the edge's to set.

    Raises:
        InvalidRequest: a value that is not known, or ``on_invalid`` without the number it needs.
    """
    if options.on_invalid not in _ON_INVALID or options.cache not in _CACHE:
        field = "options.cache" if options.on_invalid in _ON_INVALID else "options.on_invalid"
        raise InvalidRequest(f"{field}: not one of the values that are known here", param=field)
    default = None
    if options.HasField("default_reward"):
        default = number(options.default_reward, "options.default_reward")
    on_invalid = _ON_INVALID[options.on_invalid]
    if on_invalid == "default" and default is None:
        raise InvalidRequest("on_invalid: default needs default_reward", param="options.default_reward")
    explain = options.explain if options.HasField("explain") else True
    return ScoreOptions(on_invalid, default, _CACHE[options.cache], explain)


def deadline_s(options: pb.Options) -> float | None:
    """The deadline that the options name, in seconds."""
    return milliseconds(options.deadline_ms, "options.deadline_ms") if options.HasField("deadline_ms") else None


class Decoder:
    """Makes batches of messages, within the limits of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._maker = BatchBuilder(settings)
        self._media = MediaLimits.of(settings)

    async def batch(self, samples: Sequence[pb.Sample]) -> Batch:
        """The batch of the samples of one request.

        Raises:
            TooLarge: a sample, text or list over its limit, with its path.
            InvalidRequest: a message that JSON's schema would refuse.
        """
        self._maker.limits.samples(len(samples))
        items = [_item(sample, f"samples[{i}]") for i, sample in enumerate(samples)]
        batch = await self._maker.make(items, sum(map(pb.Sample.ByteSize, samples)))
        if any(sample.images or sample.frames for sample in samples):
            await self._take_media(batch, samples)
        return batch

    async def _take_media(self, batch: Batch, samples: Sequence[pb.Sample]) -> None:
        images = batch.images or [[] for _ in samples]
        for i, sample in enumerate(samples):
            self._maker.limits.images(len(images[i]) + len(sample.images), f"samples[{i}].images")
            self._maker.limits.frames(len(sample.frames), f"samples[{i}].frames")
            for field, row in (("images", sample.images), ("frames", sample.frames)):
                for k, media in enumerate(row):
                    if media.WhichOneof("source") is None:
                        param = f"samples[{i}].{field}[{k}]"
                        raise InvalidRequest(f"{param}: give either data or url", param=param)
        await asyncio.to_thread(self._load, batch, images, samples)

    def _load(self, batch: Batch, images: list[list[Media]], samples: Sequence[pb.Sample]) -> None:
        frames: list[list[Media]] = [[] for _ in samples]
        for i, sample in enumerate(samples):
            for field, row, column in (("images", sample.images, images[i]), ("frames", sample.frames, frames[i])):
                for k, media in enumerate(row):
                    item = self._check(media, f"{field}[{k}]")
                    if isinstance(item, Invalid):
                        batch.invalid.setdefault(i, item)
                    else:
                        column.append(item)
        batch.images = images if any(images) else None
        batch.frames = frames if any(frames) else None

    def _check(self, media: pb.Media, param: str) -> Media | Invalid:
        if media.WhichOneof("source") == "url":
            return from_text(media.url, param, self._media)
        return from_bytes(media.data, param, self._media)


def _item(sample: pb.Sample, param: str) -> SampleItem:
    item = SampleItem()
    if sample.HasField("id"):
        item.id = sample.id
    match sample.WhichOneof("prompt_form"):
        case "prompt":
            item.prompt = sample.prompt
        case "prompt_messages":
            item.prompt = _messages(sample.prompt_messages, f"{param}.prompt")
    match sample.WhichOneof("response_form"):
        case "response":
            item.response = sample.response
        case "response_messages":
            item.response = _messages(sample.response_messages, f"{param}.response")
    if sample.HasField("reference"):
        item.reference = sample.reference
    if sample.HasField("group"):
        item.group = sample.group
    if sample.steps:
        item.steps = [_step(step, f"{param}.steps[{i}]") for i, step in enumerate(sample.steps)]
    if sample.features:
        item.features = {name: _feature(value, f"{param}.features") for name, value in sample.features.items()}
    return item


def _step(step: pb.Step, param: str) -> StepItem:
    return StepItem(step.text, number(step.score, f"{param}.score") if step.HasField("score") else None)


def _feature(feature: pb.Feature, param: str) -> float | list[float]:
    match feature.WhichOneof("form"):
        case "number":
            return number(feature.number, param)
        case "vector":
            return [number(value, param) for value in feature.vector.values]
        case _:
            raise InvalidRequest(f"{param}: a feature of no kind", param=param)


def _messages(conversation: pb.Conversation, param: str) -> list[ChatMessage]:
    return [_message(message, f"{param}[{i}]") for i, message in enumerate(conversation.messages)]


def _message(message: pb.Message, param: str) -> ChatMessage:
    if not message.role:
        raise InvalidRequest(f"{param}: missing field role", param=f"{param}.role")
    made = ChatMessage(role=message.role)
    match message.WhichOneof("content_form"):
        case "content":
            made.content = message.content
        case "parts":
            made.content = [_part(part, f"{param}.content[{i}]") for i, part in enumerate(message.parts.parts)]
    for field in ("name", "tool_call_id", "reasoning_content"):
        if message.HasField(field):
            setattr(made, field, getattr(message, field))
    if message.HasField("tool_calls"):
        calls = plain_list(message.tool_calls, f"{param}.tool_calls")
        made.tool_calls = msgspec.Raw(msgspec.json.encode(calls))
    return made


def _part(part: pb.Part, param: str) -> Part:
    match part.WhichOneof("form"):
        case "text":
            return TextPart(part.text)
        case "image_url":
            return ImageUrlPart(part.image_url)
        case _:
            raise InvalidRequest(f"{param}: give either text or image_url", param=param)
