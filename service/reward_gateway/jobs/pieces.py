"""Pieces of a job: at most so many samples that one worker scores in one go, groups never torn apart.

A piece keeps its samples as the bytes that the caller sent, compressed, and for each its place in the job.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec
import zstandard
from msgspec import Raw, Struct

from reward_gateway.intake.request import Options, SampleItem, ScoreRequest

from .request import JobOptions

Encoded = bytes | Raw
"""The JSON of a sample."""

FAST = -1
"""Level of compression: two thirds of the time of level 1 for texts, and nearly the size."""

LARGEST = 256
"""Samples of a piece, unless a group is larger."""


class PinnedCanary(Struct):
    """The new version of a job's recipe as it was at submission, and the share of the groups that it scores."""

    recipe: str
    version: str
    source: dict[str, Any]
    weight: float


class Head(Struct):
    """What every piece of a job needs.

    Attributes:
        recipe: name of the recipe as it is asked for.
        source: the recipe as it was at submission; None: it is a served model's own.
        whole: all samples are combined together, and their state is written once.
        ahead: their components are scored before that, in pieces.
        grouped: results are delivered by group.
        queued: results carry what a run's queue tells of them.
        fails: a sample that cannot be scored fails the job.
        submitted_at: seconds since the epoch.
        callback: where its end is told.
        key: name of the API key that it was submitted with.
        due_at: seconds since the epoch until which it is to be scored; None: no limit.
        step: the trainer's step; None: not known.
        keeps_samples: whether its samples may be kept, where the operator keeps any.
        canary: scores a share of its groups; None: the recipe scores all.
        answer: which number a client with room for one takes; None: the recipe compares no samples.
    """

    recipe: str
    version: str
    source: dict[str, Any] | None
    options: Options
    run: str
    whole: bool
    grouped: bool
    queued: bool
    together: bool
    fails: bool
    explain: bool
    submitted_at: float
    due_at: float | None = None
    callback: str | None = None
    key: str = ""
    chat_format: str | None = None
    answer: str | None = None
    ahead: bool = False
    step: int | None = None
    keeps_samples: bool = True
    canary: PinnedCanary | None = None


class _Body(Struct):
    """The samples of a body as they are, and its options."""

    samples: list[Raw]
    options: JobOptions | None = None


class Piece(Struct):
    """Samples of a job: their places in it, and their JSON list.

    ``groups``: how many samples each of its groups has, in their order; empty: groups may be torn apart.
    """

    places: list[int]
    samples: bytes
    groups: list[int] = []

    @classmethod
    def of(
        cls, places: Sequence[int], samples: Sequence[Encoded] | Mapping[int, Encoded], groups: list[int]
    ) -> "Piece":
        """The piece of some places, of every sample of the job."""
        return cls(list(places), b"[%b]" % b",".join([samples[place] for place in places]), groups)

    def halve(self) -> "list[Piece]":
        """Two pieces of about half the samples each; empty where it cannot be divided."""
        sizes = self.groups or [1] * len(self.places)
        if len(sizes) < 2:
            return []
        ends = list(accumulate(sizes))
        middle = min(range(1, len(sizes)), key=lambda part: abs(2 * ends[part - 1] - len(self.places)))
        end = ends[middle - 1]
        samples = dict(zip(self.places, _decode_list(self.samples), strict=True))
        parts = [(self.places[:end], self.groups[:middle]), (self.places[end:], self.groups[middle:])]
        return [Piece.of(places, samples, groups) for places, groups in parts]


_encode_msgpack = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(Head).decode
_decode_piece = msgspec.msgpack.Decoder(Piece).decode
_decode_body = msgspec.json.Decoder(_Body).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode
_decode_samples = msgspec.json.Decoder(list[SampleItem]).decode


def encode_head(head: Head) -> bytes:
    """The head in the form of the store."""
    return _encode_msgpack(head)


def decode_head(data: bytes) -> Head:
    """The head of :func:`encode_head`."""
    return _decode_head(data)


def encode_piece(piece: Piece) -> bytes:
    """A piece in the form of the store, compressed."""
    return zstandard.ZstdCompressor(level=FAST).compress(_encode_msgpack(piece))


def decode_piece(data: bytes) -> Piece:
    """The piece of :func:`encode_piece`."""
    return _decode_piece(zstandard.ZstdDecompressor().decompress(data))


def split_body(body: bytes) -> tuple[Sequence[Encoded], JobOptions]:
    """The bytes of each sample of a body that was decoded before, and its options."""
    decoded = _decode_body(body)
    return decoded.samples, decoded.options or JobOptions()


class Cut(NamedTuple):
    """The places of a piece, and the sizes of its groups, as :class:`Piece` has them."""

    places: Sequence[int]
    groups: list[int]


def cut_places(size: int, groups: Sequence[str] | None, largest: int = LARGEST) -> list[Cut]:
    """The places of the samples of each piece, in the order in which they were sent, or their groups began.

    Args:
        groups: of every sample [n], where a group must not be torn apart; None: it may.
    """
    if groups is None:
        return [Cut(range(start, min(start + largest, size)), []) for start in range(0, size, largest)]
    members: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        members.setdefault(group, []).append(place)
    pieces: list[tuple[list[int], list[int]]] = []
    for places in members.values():
        if not pieces or len(pieces[-1][0]) + len(places) > largest:
            pieces.append(([], []))
        pieces[-1][0].extend(places)
        pieces[-1][1].append(len(places))
    return [Cut(places, sizes) for places, sizes in pieces]


def encode_pieces(samples: Sequence[Encoded], cut: Iterable[Cut]) -> list[bytes]:
    """The inputs of pieces, of the bytes of every sample and the places of each piece."""
    return [encode_piece(Piece.of(places, samples, groups)) for places, groups in cut]


def join_pieces(pieces: Iterable[Piece]) -> Piece:
    """All samples of a job in their order, of its pieces."""
    samples = {
        place: sample
        for piece in pieces
        for place, sample in zip(piece.places, _decode_list(piece.samples), strict=True)
    }
    return Piece.of(sorted(samples), samples, [])


def read_samples(piece: Piece) -> list[SampleItem]:
    """The samples of a piece; one without an id has its place in the job."""
    samples = _decode_samples(piece.samples)
    for place, sample in zip(piece.places, samples, strict=True):
        if sample.id is None:
            sample.id = str(place)
    return samples


def read_request(reward: str, options: Options, data: bytes) -> ScoreRequest:
    """The request that scores a piece, of the piece in the form of the store."""
    return ScoreRequest(read_samples(decode_piece(data)), reward, None, options)
