"""The tournament of one group: its players, the games that were judged, and what follows for each player."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reward_gateway.sample import FloatArray, Invalid

from .effects import Effectful
from .pair_judging import Judgement, Pair
from .ratings import ELO_START, Games, RatingParams, rate
from .schedules import Schedule

AskAbout = Callable[[Sequence[Pair]], Effectful[list[Judgement]]]
"""Asks about pairs whose texts differ."""

TIE = Judgement(0.5)
NO_GAME = Invalid("invalid_field", "it sat out every round: set rounds to 2 or more", param="rounds")

ALONE: Mapping[str, float] = {"win_rate": 0.5, "bradley_terry": 0.0, "elo": ELO_START}
"""By method, the rating of the only response of its group: that of one who always ties."""


@dataclass(slots=True)
class Contest:
    """One group's tournament.

    Attributes:
        prompt: of all its responses.
        rows: the item of each player; an anchor that is no item comes after them, and has none.
        texts: of each player, the anchor's last.
        empty: players whose response says nothing: they lose, or tie among each other, and nobody is asked.
        judged: (first, second, judgement) of every game, in the order in which they were played.
    """

    prompt: str | None
    rows: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    empty: frozenset[int] = frozenset()
    judged: list[tuple[int, int, Judgement]] = field(default_factory=list)

    def decide_unasked(self, first: int, second: int) -> Judgement | None:
        """The judgement of a game about which nobody has to be asked; None of any other."""
        if first in self.empty or second in self.empty:
            return Judgement(0.5 + 0.5 * ((second in self.empty) - (first in self.empty)))
        return TIE if self.texts[first] == self.texts[second] else None

    def rate_players(self, params: RatingParams) -> tuple[FloatArray, Games]:
        """[players] ratings by the games that have a verdict, and those games."""
        told = [(first, second, one.points) for first, second, one in self.judged if one.points is not None]
        games = Games.of(len(self.texts), told)
        return rate(games, params), games

    def measure_bias(self) -> float | None:
        """Share of the pairs whose verdict changed with the order; None where nobody was asked about any."""
        changed = [one.changed for _, _, one in self.judged if one.changed is not None]
        return float(np.mean(changed)) if changed else None


def play_contests(
    contests: Sequence[Contest], schedules: Sequence[Schedule], ask: AskAbout, seed: int | None
) -> Effectful[None]:
    """Play all contests round by round: what one round asks in all of them is asked together.

    Args:
        schedules: of each contest, over its players.
        seed: shuffles the items of a group before they are paired; None: as they came.
    """
    orders = [_order_players(contest, seed) for contest in contests]
    playing = dict(enumerate(schedules))
    came_to: dict[int, Sequence[float | None]] = {}
    while playing:
        rounds: dict[int, list[tuple[int, int]]] = {}
        for number, schedule in list(playing.items()):
            try:
                pairs = schedule.send(came_to[number]) if number in came_to else next(schedule)
            except StopIteration:
                del playing[number]
                continue
            rounds[number] = [(orders[number][i], orders[number][j]) for i, j in pairs]
        judgements = yield from _judge_round(contests, rounds, ask)
        for number, pairs in rounds.items():
            told = [judgements[number, first, second] for first, second in pairs]
            contests[number].judged += [(*pair, one) for pair, one in zip(pairs, told, strict=True)]
            came_to[number] = [one.points for one in told]


def _order_players(contest: Contest, seed: int | None) -> list[int]:
    """Players in the order in which they are paired; an anchor that is no item keeps its place behind them."""
    order = list(range(len(contest.rows)))
    if seed is not None:
        random.Random(seed).shuffle(order)
    return order + list(range(len(order), len(contest.texts)))


def _judge_round(
    contests: Sequence[Contest], rounds: Mapping[int, Sequence[tuple[int, int]]], ask: AskAbout
) -> Effectful[dict[tuple[int, int, int], Judgement]]:
    """(contest, first, second) -> its judgement."""
    judgements: dict[tuple[int, int, int], Judgement] = {}
    asked: list[tuple[int, int, int]] = []
    for number, pairs in rounds.items():
        for first, second in pairs:
            decided = contests[number].decide_unasked(first, second)
            if decided is None:
                asked.append((number, first, second))
            else:
                judgements[number, first, second] = decided
    if asked:
        pairs_asked = [
            Pair(contests[number].prompt, contests[number].texts[first], contests[number].texts[second])
            for number, first, second in asked
        ]
        judgements |= dict(zip(asked, (yield from ask(pairs_asked)), strict=True))
    return judgements


@dataclass(slots=True)
class Standing:
    """What a contest tells of one of its players.

    Attributes:
        rating: None where ``reason`` says why there is none.
        agreed: share of the player's pairs whose verdict did not change with the order; None: nobody was asked.
        words: what the judge said in the player's games; None: it was not asked.
    """

    rating: float | None
    reason: Invalid | None
    games: int
    failed: int
    agreed: float | None
    words: list[Any] | None
    limit_s: float | None
    flags: tuple[str, ...]


def read_standings(contest: Contest, params: RatingParams) -> list[Standing]:
    """[players] the standings; a player whose games all failed has a reason in place of a rating."""
    ratings, games = contest.rate_players(params)
    counts = games.count()
    owned: list[list[Judgement]] = [[] for _ in contest.texts]
    for first, second, one in contest.judged:
        owned[first].append(one)
        owned[second].append(one)
    if len(owned) == 1:
        ratings, counts = np.array([ALONE[params.method]]), np.ones(1, np.intp)
    standings: list[Standing] = []
    for player, own in enumerate(owned):
        reasons = [one.reason for one in own if one.reason is not None]
        changed = [one.changed for one in own if one.changed is not None]
        played = counts[player] > 0
        standings.append(
            Standing(
                float(ratings[player]) if played else None,
                None if played else next(iter(reasons), NO_GAME),
                len(own) - len(reasons),
                len(reasons),
                1.0 - float(np.mean(changed)) if changed else None,
                [one.words for one in own if one.words is not None] or None,
                min((one.limit_s for one in own if one.limit_s is not None), default=None),
                tuple(dict.fromkeys(flag for one in own for flag in one.flags)),
            )
        )
    return standings
