"""Queries that have the time that right ones of their problem took: a right query and its database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from reward_gateway.sample import Invalid

from .effects import Effectful
from .sql_results import QueryPair, run_queries
from .time_limits import explain_timeout, find_limits, name_problem, note_passing


@dataclass(frozen=True, slots=True)
class TimedQueries:
    """What pairs of queries gave, in their order, and the limits of the predicted ones.

    Attributes:
        answers: :class:`reward_gateway.sample.Invalid` where there is nothing to compare, or where the limit of its
            problem stopped the predicted query.
        limits: seconds by place, where the problem has a limit of its own.
    """

    answers: list[QueryPair | Invalid]
    limits: dict[int, float]
    factor: float | None
    problems: dict[int, str]

    def note_right(self, places: Iterable[int]) -> Effectful[None]:
        """Tell how long the predicted queries took that gave the right rows."""
        seconds: dict[int, float] = {}
        for place in places:
            answer = self.answers[place]
            if isinstance(answer, QueryPair) and answer.seconds is not None:
                seconds[place] = answer.seconds
        yield from note_passing(self.factor, self.problems, seconds)


def run_timed_queries(
    pairs: Sequence[tuple[str, str]],
    databases: Sequence[Any],
    *,
    timeout_s: float,
    adaptive_timeout: float | None,
    max_rows: int,
    gold: str,
) -> Effectful[TimedQueries]:
    """As :func:`.sql_results.run_queries`, with the factor of an adaptive limit; right queries have all the time."""
    wanted = enumerate(zip(pairs, databases, strict=True)) if adaptive_timeout is not None else ()
    problems = {place: name_problem("sql", right, database) for place, ((_, right), database) in wanted}
    limits = yield from find_limits(adaptive_timeout, timeout_s, problems)
    answers = yield from run_queries(pairs, databases, timeout_s, max_rows, gold, limits)
    for place, limit_s in limits.items():
        answer = answers[place]
        if isinstance(answer, QueryPair) and answer.error == "timeout":
            answers[place] = explain_timeout(limit_s, timeout_s) or answer
    return TimedQueries(answers, limits, adaptive_timeout, problems)
