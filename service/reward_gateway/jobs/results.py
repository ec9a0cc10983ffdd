"""Scored pieces to the results of a job: rows as ``/v1/score`` answers them, each with its place in the job."""

from collections.abc import Sequence
from itertools import groupby
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


def make_deliveries(
    head: Head, job: str, piece: Piece, rows: Sequence[Row], samples: Sequence[SampleItem], groups: Sequence[str | None]
) -> list[Delivery]:
    """What is delivered of a piece: by sample or by group where a queue hands it out, else all of it.

    Args:
        rows: of the answer, one per sample.
        groups: of every sample; None: it is in no group.
    """
    told: list[tuple[str | None, Row]] = []
    for place, row, sample, group in zip(piece.places, rows, samples, groups, strict=True):
        if head.queued:
            metadata = orjson.Fragment(bytes(sample.metadata)) if sample.metadata else None
            told.append((group, {"job": job, "index": place, **row, "group": group, "metadata": metadata}))
        else:
            told.append((group, {"index": place, **row}))
    if not head.queued or head.together:
        return [_deliver([row for _, row in told])] if told else []
    if not head.grouped:
        return [_deliver([row]) for _, row in told]
    ordered = sorted(told, key=lambda each: each[0] or "")
    together = [[row for _, row in members] for _, members in groupby(ordered, key=lambda each: each[0])]
    together.sort(key=lambda rows: int(rows[0]["index"]))
    return [_deliver(rows) for rows in together]


def _deliver(rows: list[Row]) -> Delivery:
    return Delivery(orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY), len(rows))
