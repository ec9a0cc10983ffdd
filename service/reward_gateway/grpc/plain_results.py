"""The messages of results that hold numbers and names only, written from parts that are the same in every such message.

Building a message field by field takes most of the time in which a cached sample is answered. Of the samples of one
recipe only the numbers differ, and a number takes eight bytes whatever it is: all else is written once.
"""

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, Self

from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.protobuf_wire import BYTES, DOUBLE, VARINT, sized, tag, varint

_LAYOUTS = 1024
"""Layouts that are kept: one per recipe, its models' versions, and which of its components came from the cache."""


Named = tuple[str, str | None, str | None, bool]
"""What a component of a result holds besides its numbers: its name, model and version, and whether it was cached."""


class Template(NamedTuple):
    """Bytes with a number of eight bytes after each of the texts but the last.

    Attributes:
        size: its bytes.
        pack: makes them of texts and numbers.
        parts: the texts, and between them a place for each number.
    """

    size: int
    pack: Callable[..., bytes]
    parts: list[bytes | float]

    @classmethod
    def of(cls, texts: Sequence[bytes]) -> Self:
        """The template of these texts."""
        packer = struct.Struct("<" + "d".join(f"{len(text)}s" for text in texts))
        parts: list[bytes | float] = [texts[0]]
        for following in texts[1:]:
            parts += [0.0, following]
        return cls(packer.size, packer.pack, parts)

    def fill(self, numbers: Sequence[float]) -> bytes:
        """Write the numbers between the texts."""
        parts = self.parts.copy()
        parts[1::2] = numbers
        return self.pack(*parts)


@lru_cache(_LAYOUTS)
def layout_of(components: tuple[Named, ...], compared: bool) -> Template:
    """A result without its id; its numbers are the reward, and the raw number and the value of each component.

    Args:
        compared: it compares samples, so that results have ``reward_raw``, which comes after the reward.
    """
    texts = [tag(pb.Result, "reward", DOUBLE)]
    if compared:
        texts.append(tag(pb.Result, "reward_raw", DOUBLE))
    text = tag(pb.Result, "valid", VARINT) + b"\x01"
    raw, value = (tag(pb.Component, name, DOUBLE) for name in ("raw", "value"))
    for component, model, version, cached in components:
        names = _text(pb.Component, "model", model) + _text(pb.Component, "model_version", version)
        names += tag(pb.Component, "cached", VARINT) + b"\x01" if cached else b""
        content = Template.of((raw, value, names))
        entry = _ENTRY_KEY + sized(component.encode()) + _ENTRY_VALUE + varint(content.size)
        text += tag(pb.Result, "components", BYTES) + varint(len(entry) + content.size) + entry
        texts += [text + raw, value]
        text = names
    return Template.of((*texts, text))


def write_result(name: str, layout: Template, numbers: Sequence[float]) -> bytes:
    """A result as a field of an answer, of one request as of a stream: both have it in the same place.

    Args:
        name: its id.
    """
    if not name:
        return b"%b%b%b" % (_RESULT, varint(layout.size), layout.fill(numbers))
    encoded = name.encode()
    length = varint(len(encoded))
    size = varint(len(_ID) + len(length) + len(encoded) + layout.size)
    return b"%b%b%b%b%b%b" % (_RESULT, size, _ID, length, encoded, layout.fill(numbers))


def result_field(result: bytes) -> bytes:
    """As :func:`write_result`, of a result that is written already."""
    return _RESULT + sized(result)


def _text(kind: type, field: str, text: str | None) -> bytes:
    return b"" if text is None else tag(kind, field, BYTES) + sized(text.encode())


_RESULT, _ID = tag(pb.ScoreResponse, "results", BYTES), tag(pb.Result, "id", BYTES)
_ENTRY_KEY, _ENTRY_VALUE = varint(1 << 3 | BYTES), varint(2 << 3 | BYTES)


def timing_template(stages: Sequence[str]) -> Template:
    """What an answer took, as a field of it; its numbers are the milliseconds of the stages."""
    tags = [tag(pb.Timing, stage, DOUBLE) for stage in stages]
    size = Template.of((*tags, b"")).size
    return Template.of((tag(pb.ScoreResponse, "timing_ms", BYTES) + varint(size) + tags[0], *tags[1:], b""))
