"""Games between pairs of players, and one number per player that sums them up."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import expit

from reward_gateway.sample import FloatArray

from .registry import OperationParams

Method = Literal["win_rate", "bradley_terry", "elo"]

ELO_START = 1000.0
ELO_SCALE = 400.0
"""A player who is ahead by this wins ten games of eleven."""

_MOST_STEPS = 200
_SHORTEST_STEP = 2.0**-20
_LAST_STEP = 1e-6
"""Strengths that move by less are right to about the square of it afterwards: Newton's method converges so."""


class RatingParams(OperationParams):
    """How games become numbers."""

    method: Method = Field(
        "bradley_terry",
        description="bradley_terry: log-odds of winning, mean 0. win_rate: share of points, 0 to 1. elo: from 1000, in "
        "the order of the games.",
    )
    prior_std: float = Field(
        1.0,
        gt=0,
        le=1000,
        description="bradley_terry: standard deviation of the normal prior of each strength, mean 0; it keeps the "
        "strength of a player who always wins finite.",
    )
    k: float = Field(32.0, gt=0, le=1e6, description="elo: most points that one game moves.")


@dataclass(frozen=True, slots=True)
class Games:
    """Games in their order.

    Attributes:
        n: number of players.
        first, second: [g] int, the two of each game.
        points: [g] of the first: 1 won, .5 tie, 0 lost; those of the second are 1 less this.
    """

    n: int
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    points: FloatArray

    @classmethod
    def of(cls, n: int, games: list[tuple[int, int, float]]) -> "Games":
        """Games from (first, second, points of the first)."""
        first, second, points = zip(*games, strict=True) if games else ((), (), ())
        return cls(n, np.array(first, np.intp), np.array(second, np.intp), np.array(points, np.float64))

    def count(self) -> NDArray[np.intp]:
        """[n] games of each player."""
        return np.bincount(np.concatenate([self.first, self.second]), minlength=self.n)


def rate(games: Games, params: RatingParams) -> FloatArray:
    """[n] one number per player, by the method that the parameters name; NaN where it has none without a game."""
    match params.method:
        case "win_rate":
            return share_points(games)
        case "elo":
            return rate_elo(games, params.k)
        case _:
            return fit_bradley_terry(games, params.prior_std)


def share_points(games: Games) -> FloatArray:
    """[n] points over games, 0 to 1; NaN for a player without a game."""
    points = np.bincount(games.first, games.points, games.n) + np.bincount(games.second, 1.0 - games.points, games.n)
    played = games.count()
    return np.where(played > 0, points / np.maximum(played, 1), np.nan)


def rate_elo(games: Games, k: float) -> FloatArray:
    """[n] Elo ratings: both start at 1000, and each game moves k (points − expected) between its two players."""
    ratings = [ELO_START] * games.n
    played = zip(games.first.tolist(), games.second.tolist(), games.points.tolist(), strict=True)
    for i, j, points in played:
        behind = (ratings[j] - ratings[i]) / ELO_SCALE
        expected = 1.0 / (1.0 + 10.0 ** min(behind, 300.0))
        moved = k * (points - expected)
        ratings[i] += moved
        ratings[j] -= moved
    return np.array(ratings)


def fit_bradley_terry(games: Games, prior_std: float) -> FloatArray:
    """[n] strengths s of greatest posterior, mean 0; 0 for a player without a game. P(i beats j) = σ(s_i − s_j).

    Maximises Σ over games log σ(s_winner − s_loser), where a tie is half a game won by each, less
    Σ s² / (2 prior_std²). This is strictly concave: Newton's method, with steps that are halved until they do not lead
    down, finds its one maximum, however many games there are. Only players with a game are in the equations.
    """
    strengths = np.zeros(games.n)
    played = np.flatnonzero(games.count())
    if not len(played):
        return strengths
    place = np.zeros(games.n, np.intp)
    place[played] = np.arange(len(played))
    won = np.zeros((len(played), len(played)))
    np.add.at(won, (place[games.first], place[games.second]), games.points)
    np.add.at(won, (place[games.second], place[games.first]), 1.0 - games.points)
    strengths[played] = _maximise_posterior(won, 1.0 / prior_std**2)
    return strengths


def _maximise_posterior(won: FloatArray, precision: float) -> FloatArray:
    """[m] strengths, from the games that the row's player won against the column's."""
    together, m = won + won.T, len(won)
    current = np.zeros(m)
    best = _log_posterior(current, won, precision)
    for _ in range(_MOST_STEPS):
        chance = expit(current[:, None] - current)
        slope = (won - together * chance).sum(axis=1) - precision * current
        curvature = -together * chance * (1.0 - chance)
        curvature[np.diag_indices(m)] += precision - curvature.sum(axis=1)
        step = np.linalg.solve(curvature, slope)
        step -= step.mean()  # of rounding alone
        length = 1.0
        while (reached := _log_posterior(current + length * step, won, precision)) < best - 1e-13 * abs(best):
            length /= 2.0
            if length < _SHORTEST_STEP:
                return np.asarray(current - current.mean())
        current, best = current + length * step, reached
        if np.abs(step).max() <= _LAST_STEP:
            break
    return np.asarray(current - current.mean())


def _log_posterior(strengths: FloatArray, won: FloatArray, precision: float) -> float:
    ahead = strengths[:, None] - strengths
    return float(-(won * np.logaddexp(0.0, -ahead)).sum() - 0.5 * precision * strengths @ strengths)
