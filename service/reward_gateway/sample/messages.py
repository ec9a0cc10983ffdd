"""The pieces of a sample as JSON has them: chat messages and their parts, images, steps.

An optional field that is null reads as one that is missing.
"""

from msgspec import UNSET, Raw, Struct, UnsetType


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


class MediaBytes(MediaObject):
    """An image or a frame that came as bytes, which JSON cannot carry."""

    data: bytes = b""


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
