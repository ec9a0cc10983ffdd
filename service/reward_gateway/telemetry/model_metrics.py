"""Metrics of calls to models and judges, by model."""

from typing import get_args

from reward_gateway.sample import InvalidCode

from .buckets import DURATION_S, ROWS
from .instruments import Instruments
from .labels import Names


class ModelMetrics:
    """Counts every call; models not in ``models`` are counted as ``other``."""

    def __init__(self, make: Instruments, models: Names) -> None:
        self._models = models
        self._outcomes = Names(("ok", "cancelled", *get_args(InvalidCode)))
        self._calls = make.counter("model_calls_total", "Infer calls.", "model", "outcome")
        self._rows = make.counter("model_rows_total", "Rows sent in infer calls.", "model")
        self._call_rows = make.histogram("model_call_rows", "Rows per infer call, after coalescing.", ROWS, "model")
        self._seconds = make.histogram("model_call_duration_seconds", "Latency of infer calls.", DURATION_S, "model")
        self._in_flight = make.gauge("model_calls_in_flight", "Infer calls in flight.", "model")
        self._judge_cost = make.counter("judge_cost_total", "Cost of judges' answers, by their price.", "judge")
        self._judge_answers = make.counter(
            "judge_answers_total", "Judges' answers, from their servers or from the cache.", "judge", "source"
        )
        self._judge_tokens = make.counter("judge_tokens_total", "Tokens of judges' answers.", "judge", "kind")
        self._queued = make.gauge("model_rows_queued", "Rows waiting for an infer call.", "model")

    def set_queued(self, model: str, rows: int) -> None:
        self._queued.labels(self._models.known_or_other(model)).set(rows)

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
        self._in_flight.labels(name).inc()
        self._rows.labels(name).inc(rows)
        self._call_rows.labels(name).observe(rows)

    def count_finished(self, model: str, rows: int, seconds: float, outcome: str) -> None:
        name = self._models.known_or_other(model)
        self._in_flight.labels(name).dec()
        self._calls.labels(name, self._outcomes.known_or_other(outcome)).inc()
        self._seconds.labels(name).observe(seconds)
