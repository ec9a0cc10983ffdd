"""The body of ``POST /v1/score``, as types: decoding checks it, and the OpenAPI page is generated from it.

An optional field that is null reads as one that is missing.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType


class TextPart(Struct, tag_field="type", tag="text", forbid_unknown_fields=True):
    """A piece of a message's text."""

    text: str


class ImageUrl(Struct, forbid_unknown_fields=True):
    """OpenAI's holder of an image's address: ``data:`` (base64) or, where the operator allows it, ``https:``."""

    url: str
    detail: str | None = None


class ImageUrlPart(Struct, tag_field="type", tag="image_url", forbid_unknown_fields=True):
    """An image in a message, OpenAI's form."""

    image_url: ImageUrl | str


class MediaObject(Struct, forbid_unknown_fields=True):
    """An image or a frame: exactly one of ``b64`` and ``url``.

    PNG, JPEG, WebP, GIF or BMP, seen upright, over white, the first frame. ``url`` is ``data:`` (base64) or, where the
    operator allows it, ``https:``, fetched from public hosts alone.
    """

    b64: str | None = None
    url: str | None = None


class ImagePart(Struct, tag_field="type", tag="image", forbid_unknown_fields=True):
    """An image in a message, chat template form: base64, a ``data:`` URL, or an object."""

    image: MediaObject | str


Part = TextPart | ImageUrlPart | ImagePart


class ChatMessage(Struct, forbid_unknown_fields=True):
    """One message. Its images count as images of the sample, in the order of reading."""

    role: str
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: Raw | UnsetType = UNSET
    tool_call_id: str | None = None
    reasoning_content: str | None = None


class StepItem(Struct, forbid_unknown_fields=True):
    """One step of a solution, for process rewards; ``score`` where the caller has one already."""

    text: str
    score: float | None = None


class SampleItem(Struct, forbid_unknown_fields=True, gc=False):
    """One sample. A missing ``response`` makes the sample invalid; an empty one is a response."""

    id: str | None = None
    prompt: str | list[ChatMessage] | None = None
    response: str | list[ChatMessage] | None = None
    reference: str | None = None
    images: list[str | MediaObject] | None = None
    frames: list[str | MediaObject] | None = None
    steps: list[StepItem] | None = None
    group: str | None = None
    features: dict[str, float | list[float]] | None = None
    metadata: Raw | UnsetType = UNSET


class Options(Struct, forbid_unknown_fields=True):
    """How the request wants to be answered."""

    on_invalid: Literal["null", "fail", "default"] | None = None
    default_reward: float | None = None
    cache: Literal["use", "refresh", "off"] | None = None
    explain: bool | None = None
    deadline_ms: Annotated[float, Meta(description="Milliseconds; positive.")] | None = None


class ScoreRequest(Struct, forbid_unknown_fields=True):
    """Samples to score by a recipe."""

    samples: list[SampleItem]
    reward: Annotated[str, Meta(description="Name of a recipe; else ?reward=, model, the default.")] | None = None
    model: Annotated[str, Meta(description="Used where it names a recipe and reward is not given.")] | None = None
    options: Options | None = None


class ApplyRequest(Struct, forbid_unknown_fields=True):
    """Items for one operation."""

    items: list[Any]
    params: dict[str, Any] | None = None


score_request = msgspec.json.Decoder(ScoreRequest)
apply_request = msgspec.json.Decoder(ApplyRequest)
any_json = msgspec.json.Decoder(Any)
