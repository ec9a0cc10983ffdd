"""Metrics of calls to models and judges, by model."""

from functools import cache
from typing import get_args

from reward_gateway.observer import RefusalReason
from reward_gateway.sample import InvalidCode

from .buckets import DURATION_S, ROWS
from .instruments import Instruments
from .labels import Names
from .tallies import Tallies


class ModelMetrics:
    """Counts every call; models not in ``models`` are counted as ``other``."""

    def __init__(self, make: Instruments, models: Names, tallies: Tallies) -> None:
        self._tallies = tallies
        self._models = models
        self._outcomes = Names(("ok", "cancelled", *get_args(InvalidCode)))
        self._calls = cache(make.counter("model_calls_total", "Infer calls.", "model", "outcome").labels)
        self._rows = cache(make.counter("model_rows_total", "Rows sent in infer calls.", "model").labels)
        self._call_rows = cache(
            make.histogram("model_call_rows", "Rows per infer call, after coalescing.", ROWS, "model").labels
        )
        self._seconds = cache(
            make.histogram("model_call_duration_seconds", "Latency of infer calls.", DURATION_S, "model").labels
        )
        self._in_flight = cache(make.gauge("model_calls_in_flight", "Infer calls in flight.", "model").labels)
        self._refused = make.counter(
            "model_rows_refused_total",
            "Rows refused at once: the model's pool has no server, or too many rows wait.",
            "model",
            "reason",
        )
        self._judge_cost = make.counter("judge_cost_total", "Cost of judges' answers, by their price.", "judge")
        self._judge_answers = make.counter(
            "judge_answers_total", "Judges' answers, from their servers or from the cache.", "judge", "source"
        )
        self._judge_tokens = make.counter("judge_tokens_total", "Tokens of judges' answers.", "judge", "kind")
        self._queued = cache(make.gauge("model_rows_queued", "Rows waiting for an infer call.", "model").labels)

    def set_queued(self, model: str, rows: int) -> None:
        self._tallies.set({self._queued(self._models.known_or_other(model)): rows})

    def count_refused(self, model: str, rows: int, reason: RefusalReason) -> None:
        """Count refused rows; 0 of them make the series known, so that the first ones count as an increase."""
        self._refused.labels(self._models.known_or_other(model), reason).inc(rows)

    def count_answer(self, judge: str, prompt_tokens: int, completion_tokens: int, cost: float) -> None:
        name = self._models.known_or_other(judge)
        self._judge_answers.labels(name, "server").inc()
        self._judge_cost.labels(name).inc(cost)
        self._judge_tokens.labels(name, "input").inc(prompt_tokens)
        self._judge_tokens.labels(name, "output").inc(completion_tokens)

    def count_cached_answers(self, judge: str, answers: int) -> None:
        name = self._models.known_or_other(judge)
        self._judge_answers.labels(name, "cache").inc(answers)
        self._judge_cost.labels(name).inc(0.0)

    def count_started(self, model: str, rows: int) -> None:
        name = self._models.known_or_other(model)
        self._tallies.count(self._in_flight(name))
        self._tallies.count(self._rows(name), rows)
        self._tallies.observe(self._call_rows(name), rows)

    def count_finished(self, model: str, rows: int, seconds: float, outcome: str) -> None:
        name = self._models.known_or_other(model)
        self._tallies.count(self._in_flight(name), -1)
        self._tallies.count(self._calls(name, self._outcomes.known_or_other(outcome)))
        self._tallies.observe(self._seconds(name), seconds)
