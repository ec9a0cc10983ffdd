"""Messages of jobs: a submission as the body that HTTP has, and pages of results as messages."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson
from google.protobuf.json_format import ParseDict
from msgspec import Raw, Struct

from reward_gateway.errors import InvalidRequest
from reward_gateway.intake.limits import InputLimits
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.sample.fields import MEDIA, SampleItem
from reward_gateway.sample.messages import MediaBytes, MediaObject

from .calls import parse
from .decode import decode_options, decode_samples
from .values import plain_object

_encode = msgspec.json.Encoder(order="deterministic").encode


class _Body(Struct, omit_defaults=True):
    """The body of a job."""

    samples: list[SampleItem]
    reward: str | None = None
    options: dict[str, Any] | None = None


def write_job_body(limits: InputLimits, raw: bytes) -> bytes:
    """The body that HTTP has of the same job; the same bytes for the same message.

    Raises:
        MalformedBody: the bytes are no message.
        TooLarge, InvalidRequest: as of ``Score``.
    """
    message = parse(pb.SubmitJobRequest, raw)
    samples = decode_samples(message.samples, limits)
    for i, (item, sample) in enumerate(zip(samples, message.samples, strict=True)):
        if sample.HasField("metadata"):
            item.metadata = Raw(_encode(plain_object(sample.metadata, f"samples[{i}].metadata")))
        for name in MEDIA:
            if (media := getattr(item, name)) is not None:
                setattr(item, name, [_to_base64(medium) for medium in media])
    return _encode(_Body(samples, message.reward or None, _read_options(message) or None))


def _to_base64(medium: str | MediaObject) -> str | MediaObject:
    return MediaObject(base64.b64encode(medium.data).decode()) if isinstance(medium, MediaBytes) else medium


def _read_options(message: pb.SubmitJobRequest) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if message.HasField("options"):
        options = decode_options(message.options)
        values = {name: getattr(options, name) for name in options.__struct_fields__}
        given = {name: value for name, value in values.items() if value is not None}
    if message.deliver:
        known = pb.SubmitJobRequest.Deliver.DESCRIPTOR.values_by_number.get(message.deliver)
        if known is None:
            raise InvalidRequest(f"deliver: {message.deliver} is not known", param="options.deliver")
        given["deliver"] = known.name.removeprefix("DELIVER_").lower()
    for name in ("expires_s", "queue", "callback"):
        if message.HasField(name):
            given[name] = getattr(message, name)
    return given


def make_page(page: Mapping[str, Any]) -> pb.JobResultsResponse:
    """A page of a job, as :class:`.JobService` gives it."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(page))
    rows = plain.pop("results")
    message: pb.JobResultsResponse = ParseDict(plain, pb.JobResultsResponse(), ignore_unknown_fields=True)
    for row in rows:
        _write_result(row, message.results.add(index=row["index"]).result)
    return message


def make_queued(rows: Sequence[Mapping[str, Any]]) -> pb.RunResultsResponse:
    """Results of a run's queue."""
    message = pb.RunResultsResponse()
    for row in rows:
        entry = message.results.add(job=row["job"], index=row["index"], group=row["group"], receipt=row["receipt"])
        if row["metadata"] is not None:
            entry.metadata.update(row["metadata"])
        _write_result(row, entry.result)
    return message


def _write_result(row: Mapping[str, Any], result: pb.Result) -> None:
    """Fill a message with a row. ``ParseDict`` would do, in three times the time."""
    for name in _RESULT:
        if (value := row.get(name)) is not None:
            setattr(result, name, value)
    for name, component in row["components"].items():
        entry = result.components[name]
        for field, value in component.items():
            if value is None:
                continue
            if field in _LISTS:
                getattr(entry, field).extend(value)
            else:
                setattr(entry, field, value)
    result.flags.extend(row["flags"])
    if row["rewards"] is not None:
        result.rewards.extend(row["rewards"])
    if row["error"] is not None:
        result.error.CopyFrom(pb.Error(**row["error"]))


_RESULT = ("id", "reward", "reward_raw", "valid", "recipe_version")
_LISTS = frozenset(
    name
    for name, field in pb.Component.DESCRIPTOR.fields_by_name.items()
    if field.message_type is not None and field.message_type.name == "ListValue"
)
"""Fields of a component that hold lists."""
