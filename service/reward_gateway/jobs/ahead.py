"""A job whose samples are combined together is scored in two steps: the components of each piece, by whichever worker,
and then all of them as one batch. This is what goes from the first step to the second."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from reward_gateway.recipes.raw_component import ScoredAhead
from reward_gateway.sample import ComponentScores, Invalid, Scored, Usage
from reward_gateway.scoring.recorded_answers import decode_scores, encode_scores

from .pieces import Piece, decode_piece, join_pieces


def encode_ahead(ahead: ScoredAhead) -> bytes:
    """What was scored ahead in the form of the store."""
    return msgspec.msgpack.encode((encode_scores(ahead.scored), json.dumps(dict(ahead.dimensions))))


def decode_ahead(data: bytes) -> ScoredAhead:
    """The output of :func:`encode_ahead`."""
    scored, dimensions = msgspec.msgpack.decode(data, type=tuple[bytes, str])
    return ScoredAhead(decode_scores(scored), json.loads(dimensions))


def fail_ahead(recipe: str, version: str, size: int, reason: Invalid) -> ScoredAhead:
    """Samples that nobody could score, all for one reason."""
    invalid = dict.fromkeys(range(size), reason)
    scored = Scored(recipe, version, np.full(size, np.nan), {}, invalid=invalid, usage=Usage(samples=size))
    return ScoredAhead(scored, {})


@dataclass(frozen=True, slots=True)
class AheadPart:
    """What was scored ahead of some samples of a job, and their places in it."""

    places: Sequence[int]
    ahead: ScoredAhead


def join_parts(recorded: Sequence[tuple[bytes, bytes]]) -> tuple[Piece, ScoredAhead]:
    """All samples of a job, and what was scored ahead of them, of the input and the record of every piece."""
    pieces = [decode_piece(data) for data, _ in recorded]
    parts = [AheadPart(piece.places, decode_ahead(data)) for piece, (_, data) in zip(pieces, recorded, strict=True)]
    whole = join_pieces(pieces)
    return whole, join_ahead(parts, len(whole.places))


def join_ahead(parts: Sequence[AheadPart], size: int) -> ScoredAhead:
    """What was scored ahead of a whole job, of the parts of it.

    Args:
        size: samples of the job; every place is in one part.
    """
    every = [part.ahead.scored for part in parts]
    scored = Scored(every[0].recipe, every[0].version, np.full(size, np.nan), {}, usage=Usage(samples=size))
    dimensions: dict[str, str | None] = {}
    for part in parts:
        own = part.ahead.scored
        scored.invalid.update({part.places[row]: reason for row, reason in own.invalid.items()})
        scored.flags.update({part.places[row]: names for row, names in own.flags.items()})
        scored.usage.cache_hits += own.usage.cache_hits
        scored.usage.cache_misses += own.usage.cache_misses
        scored.usage.model_calls += own.usage.model_calls
        dimensions.update(part.ahead.dimensions)
    for name in dict.fromkeys(name for own in every for name in own.components):
        scored.components[name] = _join_component(name, parts, size)
    return ScoredAhead(scored, dimensions)


def _join_component(name: str, parts: Sequence[AheadPart], size: int) -> ComponentScores:
    found = [(part.places, own) for part in parts if (own := part.ahead.scored.components.get(name)) is not None]
    raw = np.full(size, np.nan)
    first = found[0][1]
    whole = ComponentScores(raw, raw, first.model, first.model_version)
    for places, own in found:
        raw[places] = own.raw
        if own.cached is not None:
            if whole.cached is None:
                whole.cached = np.zeros(size, dtype=bool)
            whole.cached[places] = own.cached
        if own.vectors is not None:
            whole.vectors = whole.vectors or [None] * size
            for place, vector in zip(places, own.vectors, strict=True):
                whole.vectors[place] = vector
        if own.judge_answers is not None:
            answers = list(whole.judge_answers or [None] * size)
            for place, answer in zip(places, own.judge_answers, strict=True):
                answers[place] = answer
            whole.judge_answers = answers
        if own.verdicts is not None:
            whole.verdicts = whole.verdicts or {verdict: np.zeros(size) for verdict in own.verdicts}
            for verdict, column in own.verdicts.items():
                whole.verdicts[verdict][places] = column
    return whole
