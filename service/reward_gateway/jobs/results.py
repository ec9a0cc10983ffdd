"""Scored pieces to the results of a job: rows as ``/v1/score`` answers them, each with its place in the job."""

from collections.abc import Sequence

import msgspec
import orjson
from msgspec import Raw, Struct

from reward_gateway.intake.request import SampleItem
from reward_gateway.sample import Invalid
from reward_gateway.state.jobs import Delivery, QueuedResults

from .pieces import Head, Piece

Row = bytes
"""A JSON object."""


class _Answer(Struct):
    """What is read of an answer of ``/v1/score``."""

    results: list[Raw]


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_rows = msgspec.json.Decoder(list[Raw]).decode


def split_answer(body: bytes) -> list[Row]:
    """The rows of an answer of ``/v1/score``."""
    return [bytes(row) for row in _decode_answer(body).results]


def make_failed_rows(samples: Sequence[SampleItem], reason: Invalid) -> list[Row]:
    """Rows of samples that nobody could score, all for one reason."""
    error = {"code": reason.code, "message": reason.message, "component": reason.component, "param": reason.param}
    nothing: dict[str, object] = {"reward": None, "rewards": None, "valid": False, "components": {}, "flags": []}
    return [orjson.dumps({"id": sample.id, **nothing, "error": error}) for sample in samples]


def tell_rows(
    head: Head, job: str, piece: Piece, rows: Sequence[Row], samples: Sequence[SampleItem], groups: Sequence[str | None]
) -> list[Row]:
    """The rows of a piece as results of the job; where a queue hands them out, with what it tells of them.

    Args:
        rows: of the answer, one per sample.
        groups: of every sample; None: it is in no group. Read where a queue hands them out.
    """
    if not head.queued:
        return [b'{"index":%d,%b' % (place, row[1:]) for place, row in zip(piece.places, rows, strict=True)]
    name = orjson.dumps(job)
    return [
        b'{"job":%b,"index":%d,%b,"group":%b,"metadata":%b}'
        % (name, place, row[1:-1], orjson.dumps(group), bytes(sample.metadata) if sample.metadata else b"null")
        for place, row, sample, group in zip(piece.places, rows, samples, groups, strict=True)
    ]


def make_deliveries(
    head: Head, job: str, piece: Piece, rows: Sequence[Row], samples: Sequence[SampleItem], groups: Sequence[str | None]
) -> list[Delivery]:
    """What is delivered of a piece: by sample or by group where a queue hands it out, else all of it. Arguments of
    :func:`tell_rows`."""
    told = tell_rows(head, job, piece, rows, samples, groups)
    if not head.queued or head.together:
        return [deliver(told)] if told else []
    if not head.grouped:
        return [deliver([row]) for row in told]
    members: dict[str | None, list[Row]] = {}
    for row, group in zip(told, groups, strict=True):
        members.setdefault(group, []).append(row)
    return [deliver(rows) for rows in members.values()]


def deliver(rows: Sequence[Row]) -> Delivery:
    """Results that are delivered together."""
    return Delivery(b"[%b]" % b",".join(rows), len(rows))


def write_queued(queued: Sequence[QueuedResults]) -> list[Row]:
    """The rows of deliveries of a run's queue, each with the receipt of its delivery."""
    return [
        b'%b,"receipt":"%b"}' % (bytes(row)[:-1], delivery.receipt.encode())
        for delivery in queued
        for row in _decode_rows(delivery.results)
    ]
