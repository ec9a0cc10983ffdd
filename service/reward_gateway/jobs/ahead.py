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
    named = json.dumps([dict(ahead.dimensions), dict(ahead.fallbacks)])
    return msgspec.msgpack.encode((encode_scores(ahead.scored), named))


def decode_ahead(data: bytes) -> ScoredAhead:
    """The output of :func:`encode_ahead`."""
    scored, named = msgspec.msgpack.decode(data, type=tuple[bytes, str])
    return ScoredAhead(decode_scores(scored), *json.loads(named))


def fail_ahead(recipe: str, version: str, size: int, reason: Invalid) -> ScoredAhead:
    """Samples that nobody could score, all for one reason."""
    invalid = dict.fromkeys(range(size), reason)
    scored = Scored(recipe, version, np.full(size, np.nan), {}, invalid=invalid, usage=Usage(samples=size))
    return ScoredAhead(scored, {}, {})


@dataclass(frozen=True, slots=True)
class AheadPart:
    """What was scored ahead of some samples of a job, and their places in it."""

    places: Sequence[int]
    ahead: ScoredAhead


def join_parts(recorded: Sequence[tuple[bytes, bytes]]) -> tuple[Piece, ScoredAhead | None]:
    """All samples of a job, and what was scored ahead of them, of the input and the record of every piece.

    Nothing counts as scored ahead where one component was scored by two: samples that are compared, or normalised by
    the same statistics, have one scorer. Then all of them are scored again, as one batch, from the cache where it can.
    """
    pieces = [decode_piece(data) for data, _ in recorded]
    parts = [AheadPart(piece.places, decode_ahead(data)) for piece, (_, data) in zip(pieces, recorded, strict=True)]
    whole = join_pieces(pieces)
    return whole, join_ahead(parts, len(whole.places)) if _have_one_scorer(parts) else None


def _have_one_scorer(parts: Sequence[AheadPart]) -> bool:
    scorers: dict[str, tuple[str, str | None, str | None]] = {}
    for part in parts:
        for name, own in part.ahead.scored.components.items():
            if np.isnan(own.raw).all():
                continue  # nobody scored these
            scorer = part.ahead.fallbacks.get(name, ""), own.model, own.model_version
            if scorers.setdefault(name, scorer) != scorer:
                return False
    return True


def join_ahead(parts: Sequence[AheadPart], size: int) -> ScoredAhead:
    """What was scored ahead of a whole job, of the parts of it.

    Args:
        size: samples of the job; every place is in one part.
    """
    every = [part.ahead.scored for part in parts]
    scored = Scored(every[0].recipe, every[0].version, np.full(size, np.nan), {}, usage=Usage(samples=size))
    dimensions: dict[str, str | None] = {}
    fallbacks: dict[str, str] = {}
    for part in parts:
        own = part.ahead.scored
        scored.invalid.update({part.places[row]: reason for row, reason in own.invalid.items()})
        scored.flags.update({part.places[row]: names for row, names in own.flags.items()})
        scored.usage.cache_hits += own.usage.cache_hits
        scored.usage.cache_misses += own.usage.cache_misses
        scored.usage.model_calls += own.usage.model_calls
        dimensions.update(part.ahead.dimensions)
        fallbacks.update(part.ahead.fallbacks)
    for name in dict.fromkeys(name for own in every for name in own.components):
        scored.components[name] = _join_component(name, parts, size)
    return ScoredAhead(scored, dimensions, fallbacks)


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
        if own.limits is not None:
            limits = list(whole.limits or [None] * size)
            for place, limit in zip(places, own.limits, strict=True):
                limits[place] = limit
            whole.limits = limits
        if own.verdicts is not None:
            whole.verdicts = whole.verdicts or {verdict: np.zeros(size) for verdict in own.verdicts}
            for verdict, column in own.verdicts.items():
                whole.verdicts[verdict][places] = column
    return whole
