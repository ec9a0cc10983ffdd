"""Scored pieces to the results of a job: rows as ``/v1/score`` answers them, each with its place in the job."""

from collections.abc import Sequence
from typing import Any

import orjson

from reward_gateway.intake.request import SampleItem
from reward_gateway.sample import Invalid
from reward_gateway.state.jobs import Delivery

from .pieces import Head, Piece

Row = dict[str, Any]


def make_failed_rows(samples: Sequence[SampleItem], reason: Invalid) -> list[Row]:
    """Rows of samples that nobody could score, all for one reason."""
    error = {"code": reason.code, "message": reason.message, "component": reason.component, "param": reason.param}
    return [
        {
            "id": sample.id,
            "reward": None,
            "rewards": None,
            "valid": False,
            "components": {},
            "flags": [],
            "error": error,
        }
        for sample in samples
    ]


def tell_rows(
    head: Head, job: str, piece: Piece, rows: Sequence[Row], samples: Sequence[SampleItem], groups: Sequence[str | None]
) -> list[Row]:
    """The rows of a piece as results of the job; where a queue hands them out, with what it tells of them.

    Args:
        rows: of the answer, one per sample.
        groups: of every sample; None: it is in no group.
    """
    if not head.queued:
        return [{"index": place, **row} for place, row in zip(piece.places, rows, strict=True)]
    told: list[Row] = []
    for place, row, sample, group in zip(piece.places, rows, samples, groups, strict=True):
        metadata = orjson.Fragment(bytes(sample.metadata)) if sample.metadata else None
        told.append({"job": job, "index": place, **row, "group": group, "metadata": metadata})
    return told


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


def deliver(rows: list[Row]) -> Delivery:
    """Results that are delivered together."""
    return Delivery(orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY), len(rows))
