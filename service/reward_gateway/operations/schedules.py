"""Who meets whom: the rounds of a tournament, each of which may depend on what came of those before it.

A schedule is a generator. It yields the pairs of a round, is sent what each came to (the points of the first of the
two: 1, .5 or 0; None where the game could not be judged), and ends where no further round is played. Players are
numbers from 0, in the order in which they are to be paired where nothing else decides.
"""

import math
from collections.abc import Generator, Sequence
from typing import Literal

Pair = tuple[int, int]
Schedule = Generator[Sequence[Pair], Sequence[float | None], None]
ScheduleName = Literal["all", "swiss", "knockout", "anchor"]


def count_swiss_rounds(n: int) -> int:
    """Rounds after which one of n may be the only one without a loss: ⌈log2 n⌉."""
    return math.ceil(math.log2(n)) if n > 1 else 0


def count_games(name: ScheduleName, n: int, rounds: int | None = None) -> int:
    """Most games that a schedule has for n players, of which the last is the anchor where there is one."""
    match name:
        case "all":
            return n * (n - 1) // 2
        case "swiss":
            return min((count_swiss_rounds(n) if rounds is None else rounds) * (n // 2), n * (n - 1) // 2)
        case _:
            return max(n - 1, 0)


def plan_schedule(name: ScheduleName, n: int, rounds: int | None = None, anchor: int = 0) -> Schedule:
    """The schedule of that name for n players.

    Args:
        rounds: of swiss; None: ⌈log2 n⌉.
        anchor: the player whom all others meet.
    """
    match name:
        case "all":
            return _play_one_round([(i, j) for i in range(n) for j in range(i + 1, n)])
        case "anchor":
            return _play_one_round([(i, anchor) for i in range(n) if i != anchor])
        case "swiss":
            return _play_swiss(n, count_swiss_rounds(n) if rounds is None else rounds)
        case _:
            return _play_knockout(n)


def _play_one_round(pairs: Sequence[Pair]) -> Schedule:
    if pairs:
        yield pairs


def _play_swiss(n: int, rounds: int) -> Schedule:
    """In each round players meet whom they have not met, as near to them in points as can be, from the top.

    Of an odd number the last who has not sat out yet does, and has a point for it, which counts for the pairing alone.
    After many rounds, one who finds nobody new sits out as well.
    """
    points, met, sat_out = [0.0] * n, set[frozenset[int]](), set[int]()
    for _ in range(rounds):
        waiting = sorted(range(n), key=lambda player: -points[player])
        if n % 2:
            left = next((player for player in reversed(waiting) if player not in sat_out), waiting[-1])
            sat_out.add(left)
            points[left] += 1.0
            waiting.remove(left)
        pairs = _pair_neighbours(waiting, met)
        if not pairs:
            return
        for (first, second), won in zip(pairs, (yield pairs), strict=True):
            met.add(frozenset((first, second)))
            if won is not None:
                points[first] += won
                points[second] += 1.0 - won


def _pair_neighbours(waiting: list[int], met: set[frozenset[int]]) -> list[Pair]:
    """Pairs of players who have not met, each with the nearest behind it; two who are left take a pair apart."""

    def are_new(one: int, other: int) -> bool:
        return frozenset((one, other)) not in met

    pairs: list[Pair] = []
    left: list[int] = []
    while waiting:
        player = waiting.pop(0)
        other = next((one for one in waiting if are_new(player, one)), None)
        if other is None:
            left.append(player)
        else:
            waiting.remove(other)
            pairs.append((player, other))
    while len(left) > 1:
        last, before = left.pop(), left.pop()
        for place in reversed(range(len(pairs))):
            first, second = pairs[place]
            for one, other in ((before, last), (last, before)):
                if are_new(first, one) and are_new(second, other):
                    pairs[place : place + 1] = [(first, one), (second, other)]
                    break
            else:
                continue
            break
    return pairs


def _play_knockout(n: int) -> Schedule:
    """Who loses is out. Of a tie, and of a game without a verdict, the first goes on.

    Of an odd number the last has no game in this round, and the first one in the next.
    """
    remaining = list(range(n))
    while len(remaining) > 1:
        free = remaining[len(remaining) // 2 * 2 :]
        pairs = list(zip(remaining[::2], remaining[1::2], strict=False))
        won = yield pairs
        remaining = [*free, *(b if points == 0.0 else a for (a, b), points in zip(pairs, won, strict=True))]
