"""Messages to a parsed request: samples and options take the form that JSON has, and then the one way that HTTP's take.

So limits, chat messages, missing ids and step scores mean the same over both. Only images differ: they
are bytes here, and are checked as bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from google.protobuf.message import Message

from reward_gateway.errors import InvalidRequest
from reward_gateway.intake.decode import wrong_shape
from reward_gateway.intake.limits import InputLimits
from reward_gateway.intake.request import Options, ScoreRequest
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.sample.fields import FIELDS, Field, Form, SampleItem, of_form
from reward_gateway.sample.messages import (
    UNREAD,
    ChatMessage,
    ImageUrlPart,
    MediaBytes,
    MediaObject,
    Part,
    StepItem,
    TextPart,
)

from .calls import parse
from .values import number, plain, plain_list, plain_object


def decode_options(message: pb.Options) -> Options:
    """The options as JSON has them; those that are not set are missing.

    Raises:
        InvalidRequest: a value that is not known, or a number that is not finite.
    """
    values: dict[str, Any] = {}
    for entry, value in message.ListFields():
        if isinstance(value, float):
            values[entry.name] = number(value, f"options.{entry.name}")
        elif entry.enum_type is None:
            values[entry.name] = value
        elif value:  # 0 is "unspecified"
            known = entry.enum_type.values_by_number.get(value)  # ON_INVALID_FAIL is on_invalid: fail
            values[entry.name] = known.name.removeprefix(f"{entry.name.upper()}_").lower() if known else str(value)
    try:
        return msgspec.convert(values, Options)
    except msgspec.ValidationError as error:
        raise wrong_shape(msgspec.json.encode(values), str(error), "options") from None


def decode_samples(samples: Sequence[pb.Sample], limits: InputLimits) -> list[SampleItem]:
    """The samples as JSON has them.

    Raises:
        TooLarge: more samples than a request may have.
        InvalidRequest: a message that JSON's schema would refuse.
    """
    limits.samples(len(samples))
    return [_item(sample, i) for i, sample in enumerate(samples)]


def read_score_message(limits: InputLimits, raw: bytes) -> ScoreRequest:
    """A request as JSON has it.

    Raises:
        MalformedBody: the bytes are no message.
        TooLarge, InvalidRequest: as :func:`decode_samples` and :func:`decode_options`.
    """
    message = parse(pb.ScoreRequest, raw)
    options = decode_options(message.options) if message.HasField("options") else None
    return ScoreRequest(decode_samples(message.samples, limits), message.reward or None, None, options)


def _item(sample: pb.Sample, i: int) -> SampleItem:
    item = SampleItem()
    for descriptor, value in sample.ListFields():
        name, read = _READERS[descriptor.number]
        if descriptor.name != name and getattr(item, name) is not None:
            raise InvalidRequest(f"samples[{i}].{name}: give it in one form", param=f"samples[{i}].{name}")
        if read is None:
            setattr(item, name, value)
        elif (made := read(value, f"samples[{i}].{name}")) is not None:
            setattr(item, name, made)
    return item


def _media(media: Sequence[pb.Media], param: str) -> list[str | MediaObject]:
    return [_medium(medium, f"{param}[{k}]") for k, medium in enumerate(media)]


def _medium(medium: pb.Media, param: str) -> str | MediaObject:
    match medium.WhichOneof("source"):
        case "data":
            return MediaBytes(data=medium.data)
        case "url":
            return medium.url
        case _:
            raise InvalidRequest(f"{param}: give either data or url", param=param)


def _steps(steps: Sequence[pb.Step], param: str) -> list[StepItem]:
    return [_step(step, f"{param}[{i}]") for i, step in enumerate(steps)]


def _step(step: pb.Step, param: str) -> StepItem:
    return StepItem(step.text, number(step.score, f"{param}.score") if step.HasField("score") else None)


def _features(features: Mapping[str, pb.Feature], param: str) -> dict[str, float | list[float]]:
    return {name: _feature(value, param) for name, value in features.items()}


def _feature(feature: pb.Feature, param: str) -> float | list[float]:
    match feature.WhichOneof("form"):
        case "number":
            return number(feature.number, param)
        case "vector":
            return [number(value, param) for value in feature.vector.values]
        case _:
            raise InvalidRequest(f"{param}: a feature of no kind", param=param)


def _texts(texts: Sequence[str], _param: str) -> list[str]:
    return list(texts)


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
    for field in ("name", "tool_call_id", "reasoning_content", "reasoning"):
        if message.HasField(field):
            setattr(made, field, getattr(message, field))
    for field, read in _OPEN_KEYS.items():
        if message.HasField(field):
            value = read(getattr(message, field), f"{param}.{field}")
            setattr(made, field, msgspec.Raw(msgspec.json.encode(value)))
    return made


_OPEN_KEYS: dict[str, Callable[[Any, str], Any]] = {
    "tool_calls": plain_list,
    "function_call": plain_object,
    **dict.fromkeys(UNREAD, plain),
}
"""Keys of a message whose values are any JSON, and how they are read."""


def _part(part: pb.Part, param: str) -> Part:
    match part.WhichOneof("form"):
        case "text":
            return TextPart(part.text)
        case "image_url":
            return ImageUrlPart(part.image_url)
        case "other":
            return _other_part(plain_object(part.other, param), param)
        case _:
            raise InvalidRequest(f"{param}: give either text or image_url", param=param)


def _other_part(given: dict[str, Any], param: str) -> Part:
    encoded = msgspec.json.encode(given)
    part: Part
    try:
        part = msgspec.json.decode(encoded, type=Part)
    except msgspec.ValidationError as error:
        raise wrong_shape(encoded, str(error), param) from None
    return part


def _objects(field: Field) -> "Read":
    """How messages become the objects that JSON would have: what is not set in them is not given."""

    def read(messages: Sequence[Message], param: str) -> Any:
        given = [_object(message, f"{param}[{k}]") for k, message in enumerate(messages)]
        try:
            return msgspec.convert(given, field.wire)
        except msgspec.ValidationError as error:
            raise wrong_shape(msgspec.json.encode(given), str(error), param) from None

    return read


def _object(message: Message, param: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for entry, value in message.ListFields():
        if isinstance(value, float):
            made[entry.name] = number(value, f"{param}.{entry.name}")
        else:
            made[entry.name] = value if isinstance(value, str | bool | int) else list(value)
    return made


def _opaque(value: Any, param: str) -> msgspec.Raw:
    """What is carried through, as JSON has it."""
    return msgspec.Raw(msgspec.json.encode(plain_object(value, param)))


Read = Callable[[Any, str], Any]
_READ: dict[Form, Callable[[Field], Read | None]] = {
    "name": lambda _: None,
    "chat": lambda _: None,
    "text": lambda _: None,
    "answer": lambda _: None,
    "media": lambda _: _media,
    "steps": lambda _: _steps,
    "numbers": lambda _: _features,
    "objects": _objects,
    "opaque": lambda _: _opaque,
}
_NUMBERS = {name: entry.number for name, entry in pb.Sample.DESCRIPTOR.fields_by_name.items()}
_READERS: dict[int, tuple[str, Read | None]] = {
    **{_NUMBERS[field.name]: (field.name, _READ[field.form](field)) for field in FIELDS},
    **{_NUMBERS[f"{field.name}_messages"]: (field.name, _messages) for field in of_form("chat")},
    **{_NUMBERS[f"{field.name}s"]: (field.name, _texts) for field in of_form("answer")},
    **{_NUMBERS[f"{field.name}_value"]: (field.name, plain) for field in of_form("answer")},
}
"""Number of a field of ``Sample`` -> the field, and how its value is read; None: as it is."""
