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


class RefusalPart(Struct, tag_field="type", tag="refusal", forbid_unknown_fields=True):
    """An answer that declines; read as text."""

    refusal: str


class ThinkingPart(Struct, tag_field="type", tag="thinking", forbid_unknown_fields=True):
    """Reasoning among the parts, vLLM's form; it joins ``reasoning_content``."""

    thinking: str
    closed: bool | None = None


class AudioPart(Struct, tag_field="type", tag="input_audio", forbid_unknown_fields=True):
    """Sound, OpenAI's form; not read."""

    input_audio: Raw


class AudioUrlPart(Struct, tag_field="type", tag="audio_url", forbid_unknown_fields=True):
    """Sound, vLLM's form; not read."""

    audio_url: Raw


class VideoUrlPart(Struct, tag_field="type", tag="video_url", forbid_unknown_fields=True):
    """A video; not read. Its frames go into ``frames``."""

    video_url: Raw


class FilePart(Struct, tag_field="type", tag="file", forbid_unknown_fields=True):
    """A document; not read."""

    file: Raw


Part = (
    TextPart
    | ImageUrlPart
    | ImagePart
    | RefusalPart
    | ThinkingPart
    | AudioPart
    | AudioUrlPart
    | VideoUrlPart
    | FilePart
)


class ChatMessage(Struct, forbid_unknown_fields=True):
    """One message, with the keys that OpenAI and vLLM publish, so that what their clients dump can be sent as it is.

    Its images count as images of the sample, in the order of reading. ``reasoning`` is vLLM's name of
    ``reasoning_content``, ``function_call`` OpenAI's older form of one of the ``tool_calls``. Nothing reads
    ``refusal``, ``annotations``, ``audio``, ``tools`` and ``task``; a sample where one of them has content is flagged
    ``message_parts_ignored``.
    """

    role: str
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: Raw | UnsetType = UNSET
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    function_call: Raw | UnsetType = UNSET
    refusal: Raw | UnsetType = UNSET
    annotations: Raw | UnsetType = UNSET
    audio: Raw | UnsetType = UNSET
    tools: Raw | UnsetType = UNSET
    task: Raw | UnsetType = UNSET

    @property
    def says_text_alone(self) -> bool:
        """It has a role, a text, and nothing beside them that has content."""
        return isinstance(self.content, str) and not any(has_content(getattr(self, key)) for key in _BESIDE_TEXT)


UNREAD = ("refusal", "annotations", "audio", "tools", "task")
"""Published keys of a message that nothing reads: what a model declined by beside its text, links, sound, the tools
that a developer's message offers, and a marker of some models."""

_BESIDE_TEXT = tuple(name for name in ChatMessage.__struct_fields__ if name not in ("role", "content"))
_EMPTY = (b"null", b"[]", b"{}", b'""', b"false")


def has_content(value: str | Raw | UnsetType | None) -> bool:
    """Whether a key of a message was given, and holds more than null, false, or an empty text, list or object."""
    if isinstance(value, Raw):
        return bytes(value).translate(None, b" \t\r\n") not in _EMPTY
    return bool(value)


class StepItem(Struct, forbid_unknown_fields=True):
    """One step of a solution, for process rewards; ``score`` where the caller has one already."""

    text: str
    score: float | None = None
