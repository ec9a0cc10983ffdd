"""Bodies of the HTTP API as gRPC's messages, and its messages as the answers that HTTP gives."""

from collections.abc import Mapping
from typing import Any, TypeVar

from reward_gateway import extras

with extras.needed():
    from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from reward_gateway.errors import InvalidRequest
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.sample.fields import MEDIA, of_form

from .wire import GroupStats, SampleError, ScoreAnswer, WireComponent, WireResult

R = TypeVar("R", pb.ScoreRequest, pb.SubmitJobRequest)
W = TypeVar("W", bound=WireResult)

_CHAT = tuple(field.name for field in of_form("chat"))
_ANSWERS = tuple(field.name for field in of_form("answer"))
_NUMBERS = tuple(field.name for field in of_form("numbers"))
_UPPER = {"on_invalid": "ON_INVALID_", "cache": "CACHE_"}


def with_recipe(body: Mapping[str, Any], recipe: str | None) -> Mapping[str, Any]:
    """The body of a request, with the recipe of the address where it names none."""
    return body if recipe is None or body.get("reward") else {**body, "reward": recipe}


def score_request(body: Mapping[str, Any]) -> pb.ScoreRequest:
    """A body of the HTTP API as a message. Raises InvalidRequest for what the message cannot say."""
    return _fill(pb.ScoreRequest(), body, body.get("options") or {}, {})


def submit_request(body: Mapping[str, Any]) -> pb.SubmitJobRequest:
    """As :func:`score_request`, of a job."""
    options = dict(body.get("options") or {})
    delivery = {name: options.pop(name) for name in ("deliver", "expires_s", "queue", "callback") if name in options}
    if "deliver" in delivery:
        delivery["deliver"] = f"DELIVER_{delivery['deliver']}".upper()
    return _fill(pb.SubmitJobRequest(), body, options, delivery)


def _fill(request: R, body: Mapping[str, Any], given: Mapping[str, Any], more: Mapping[str, Any]) -> R:
    options = {name: _UPPER[name] + value.upper() if name in _UPPER else value for name, value in given.items()}
    fields = {"reward": body.get("reward") or "", "options": options, **more}
    param = "options"
    try:
        ParseDict(fields, request)
        for i, sample in enumerate(body["samples"]):
            param = f"samples[{i}]"
            ParseDict(_convert_sample(sample), request.samples.add())
    except (ParseError, ValueError, TypeError, KeyError) as error:
        raise InvalidRequest(f"{param}: not of the API's form ({type(error).__name__})", param=param) from None
    return request


def _convert_sample(sample: Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(sample)
    for field in _CHAT:
        value = fields.get(field)
        if value is not None and not isinstance(value, str):
            fields[f"{field}_messages"] = {"messages": [_convert_message(message) for message in fields.pop(field)]}
    for field in MEDIA:
        if fields.get(field):
            fields[field] = [_convert_media(item) for item in fields[field]]
    for field in _ANSWERS:
        value = fields.get(field)
        if isinstance(value, (list, tuple)) and all(isinstance(entry, str) for entry in value):
            fields[f"{field}s"] = fields.pop(field)
        elif value is not None and not isinstance(value, str):
            fields[f"{field}_value"] = fields.pop(field)
    for field in _NUMBERS:
        if fields.get(field):
            fields[field] = {name: _convert_feature(value) for name, value in fields[field].items()}
    return fields


def _convert_feature(value: Any) -> dict[str, Any]:
    return {"vector": {"values": list(value)}} if isinstance(value, (list, tuple)) else {"number": value}


def _convert_message(message: Mapping[str, Any]) -> dict[str, Any]:
    fields = {key: value for key, value in message.items() if value is not None}
    content = fields.get("content")
    if content is not None and not isinstance(content, str):
        fields["parts"] = {"parts": [_convert_part(part) for part in fields.pop("content")]}
    return fields


def _convert_part(part: Mapping[str, Any]) -> dict[str, Any]:
    if part["type"] == "text":
        return {"text": part["text"]}
    if part["type"] == "image_url":
        image = part["image_url"]
        return {"image_url": image if isinstance(image, str) else image["url"]}
    if part["type"] != "image":
        return {"other": dict(part)}
    image = part["image"]
    text = image if isinstance(image, str) else image.get("url") or image["b64"]
    return {"image_url": text if _is_address(text) else f"data:image/*;base64,{text}"}


def _convert_media(item: Any) -> dict[str, Any]:
    text = item if isinstance(item, str) else item.get("url") or item["b64"]
    return {"url": text} if _is_address(text) else {"data": text}


def _is_address(text: str) -> bool:
    return text.startswith(("data:", "http://", "https://"))


def score_answer(message: pb.ScoreResponse) -> ScoreAnswer:
    """The message as the answer that HTTP gives."""
    timing = message.timing_ms
    return ScoreAnswer(
        reward=message.reward,
        recipe_version=message.recipe_version,
        results=[read_result(result) for result in message.results],
        usage=read_usage(message.usage),
        timing_ms={name: getattr(timing, name) for name in pb.Timing.DESCRIPTOR.fields_by_name},
        answer=message.answer if message.HasField("answer") else None,
        groups=read_groups(message.groups) if message.HasField("answer") else None,
    )


def read_groups(groups: Mapping[str, pb.GroupStats]) -> dict[str, GroupStats] | None:
    """Groups by name; None where there are none."""
    found = {
        name: GroupStats(
            of.n,
            of.mean if of.HasField("mean") else None,
            of.std if of.HasField("std") else None,
            of.all_equal,
            of.accuracy if of.HasField("accuracy") else None,
            of.keep if of.HasField("keep") else None,
        )
        for name, of in groups.items()
    }
    return found or None


def read_result(message: pb.Result) -> WireResult:
    """One sample's result."""
    return fill_result(WireResult(message.id, message.valid), message)


def fill_result(result: W, message: pb.Result) -> W:
    """The same, with what else the message says."""
    result.flags = list(message.flags)
    if message.HasField("reward"):
        result.reward = message.reward
    if message.HasField("reward_raw"):
        result.reward_raw = message.reward_raw
    if message.HasField("recipe_version"):
        result.recipe_version = message.recipe_version
    if message.HasField("rewards"):
        result.rewards = read_list(message.rewards)
    if message.HasField("error"):
        result.error = read_error(message.error)
    result.components = {name: _read_component(component) for name, component in message.components.items()}
    return result


def read_usage(usage: pb.Usage) -> dict[str, int]:
    """What an answer cost, by name."""
    return {name: getattr(usage, name) for name in pb.Usage.DESCRIPTOR.fields_by_name}


def read_error(error: pb.Error) -> SampleError:
    """Why there is no result."""
    return SampleError(
        error.code,
        error.message,
        error.component if error.HasField("component") else None,
        error.param if error.HasField("param") else None,
    )


def read_list(message: Any) -> list[Any]:
    """A ListValue as a list."""
    values: Any = MessageToDict(message)
    return list(values)


def _read_component(message: pb.Component) -> WireComponent:
    present = {
        name: getattr(message, name)
        for name in ("raw", "value", "model", "model_version", "skipped")
        if message.HasField(name)
    }
    vector = read_list(message.vector) if message.HasField("vector") else None
    return WireComponent(**present, cached=message.cached, vector=vector)
