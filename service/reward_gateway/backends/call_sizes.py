"""How many rows a call of one model may hold, so that calls in flight never take long; learned from the calls.

Who comes while calls are in flight waits for these, so their time is bounded. The right number of rows is one for a
large model on a CPU and thousands for a trivial one. A call is taken to last as long as a call of one row, and a time
for each further row; a row of a long text may count as many (:mod:`.row_lengths`).
"""

import math
from collections import deque
from collections.abc import Sequence
from statistics import median

from reward_gateway.backends.row_lengths import RowLengths

FIRST_ROWS = 16
"""Rows of a call before anything is known."""

_GAIN = 0.25
"""How much of a measurement enters what was learned before."""

_SINGLE_FACTOR = 1.5
"""A call may always take this many times as long as one row alone: where one row takes nearly as long as ten, sending
one at a time would cost most of the throughput and save little time."""

_RECENT = 3
"""A call that took far longer than predicted, as when the machine did something else meanwhile, says nothing of its
rows: what is learned is the median of so many, relative to their predictions. Two in a row are believed."""

_RETRY = 0.99
"""While calls hold one row, the time of further rows is not measured; it is lowered by this factor per call, until a
call of two rows is tried."""

_LEAD_S = 0.003
"""How long before the end of an instance's only call the next one is sent: without that the instance would be idle
until the answer has been read and the next call arrives. What predictions were wrong by of late comes on top."""

_MOST_ERROR = 0.1
"""That part of the limit at most."""

_ROUNDING = 1e-6
"""Rows by which what exactly fits may be missed."""

_TICK_S = 1e-4
"""A shorter wait is none: timers are no more exact."""

_TOGETHER = 0.1
"""A call that took less than this part of the one before, and of its time per row, was computed together with it."""

InFlight = tuple[float, float]
"""A call in flight: its rows of usual length, and the seconds since the server began with it."""


class CallSizes:
    """The learned rows per call of one model.

    Args:
        limit_s: maximum predicted seconds until all calls in flight are answered.

    Attributes:
        lengths: what rows count, in rows of usual length.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._instances = 1
        self._call_s = limit_s / 2
        self.lengths = RowLengths()
        self._rows: float = FIRST_ROWS
        self._error_s = 0.0
        self._alone = False  # an instance has one call at a time
        self._single_s: float | None = None  # a call of one row
        self._row_s: float | None = None  # each further row
        self._ended: tuple[int, int, float] | None = None  # rows, bytes, seconds
        self._ratios: deque[float] = deque(maxlen=_RECENT)  # of measured to predicted

    def set_calls(self, instances: int, max_calls: int) -> None:
        """Say how many calls the model computes at a time, and how many may be in flight.

        Twice as many calls as instances are in flight, so that none is idle between two calls. Each may take a little
        more than half of the limit then: where few rows fit, calls of three and of two are better than two of two.
        """
        self._instances = instances
        self._call_s = self._limit_s * min(1.0, 1.2 * instances / min(max_calls, 2 * instances))

    def count_room(self, calls: Sequence[InFlight]) -> float:
        """Maximum rows of usual length of one more call beside those in flight; 0: none may be sent.

        An instance is never left idle.
        """
        if len(calls) < self._instances:
            return self._rows
        if self.predict_wait_s(calls) > 0.0:
            return 0.0
        left_s = self._limit_s * self._instances - sum(self._predict_left_s(calls))
        return min(self._rows, self._fit_beside(calls) or self._fit_rows(left_s))

    def predict_wait_s(self, calls: Sequence[InFlight]) -> float:
        """Seconds until the next call may be sent, if none in flight is answered before.

        Where an instance has one call at a time, or no further one fits beside it, the next one is sent just before it
        is predicted to be answered.
        """
        if len(calls) < self._instances or self._fit_beside(calls):
            return 0.0
        if len(calls) > self._instances:
            return math.inf
        lead_s = _LEAD_S + min(self._error_s, _MOST_ERROR * self._limit_s)
        wait_s = min(self._predict_left_s(calls)) - lead_s
        return wait_s if wait_s > _TICK_S else 0.0

    def _fit_beside(self, calls: Sequence[InFlight]) -> float:
        """Rows of a call that shares the limit with those in flight, all of which count whole; 0: none."""
        if self._alone:
            return 0.0
        return self._fit_rows(self._limit_s * self._instances - sum(self._predict_s(rows) for rows, _ in calls))

    def _predict_left_s(self, calls: Sequence[InFlight]) -> list[float]:
        """Seconds that each call in flight still takes."""
        return [max(0.0, self._predict_s(rows) - elapsed_s) for rows, elapsed_s in calls]

    def learn(self, rows: int, size: int, seconds: float, max_rows: int) -> None:
        """A call was answered.

        Args:
            size: bytes of its rows.
            seconds: from when the server could begin with it.
            max_rows: maximum rows per call that the server takes.
        """
        ended, self._ended = self._ended, (rows, size, seconds)
        if ended is None:
            return
        if seconds < _TOGETHER * ended[2] * min(1.0, rows / ended[0]) and rows + ended[0] <= max_rows:
            self._ended = rows + ended[0], size + ended[1], seconds + ended[2]
            return
        weight = self.lengths.weigh(*ended[:2])
        full = weight > self._rows - 1
        self._measure(*ended)
        fitting = max(1, self._choose_rows(max_rows), int(self._fit_rows(_SINGLE_FACTOR * (self._single_s or 0.0))))
        if self._single_s is None and fitting < min(self._rows, max_rows):
            self._rows = 1  # find out what one row takes
        elif full:
            self._rows = min(fitting, 2 * max(weight, ended[0]), max_rows)
        else:
            self._rows = min(fitting, self._rows)

    def _measure(self, rows: int, size: int, seconds: float) -> None:
        """Learn from a call, as though its rows had the usual length."""
        if self._single_s is not None and self._row_s:
            longer_s = (self.lengths.weigh(rows, size) - rows) * self._row_s
            error_s = seconds - self._predict_s(rows)
            self.lengths.learn(rows, size, error_s / self._row_s)
            self._error_s += _GAIN * (min(abs(error_s - longer_s), self._limit_s) - self._error_s)
            seconds = max(seconds - longer_s, 1e-6)
        self._measure_usual(rows, seconds)

    def _measure_usual(self, rows: int, seconds: float) -> None:
        if rows == 1:
            single_s = seconds if self._single_s is None else self._single_s
            self._single_s = single_s + _GAIN * (seconds - single_s)
            if self._row_s is not None and self._rows < 2:
                self._row_s *= _RETRY
            return
        if self._single_s is not None:
            self._single_s = min(self._single_s, seconds)  # more rows never take less time than one
        if self._row_s is not None:
            predicted_s = max(self._predict_s(rows), 1e-6)
            self._ratios.append(seconds / predicted_s)
            seconds = median(self._ratios) * predicted_s
        row_s = (seconds - (self._single_s or 0.0)) / (rows - 1)
        if self._row_s is None:
            self._row_s = row_s
        else:  # a small call says little
            self._row_s += _GAIN * min(1.0, rows / self._rows) * (row_s - self._row_s)

    def _choose_rows(self, max_rows: int) -> float:
        """Rows per call with which an instance computes most: of two calls that share the limit, or of one at a time.

        Two leave it no time between calls; where a call costs much beside its rows, a larger one does more. Where no
        second call fits it is one at a time, unless that alone exceeds the limit.
        """
        first, alone = (min(max_rows, self._fit_rows(seconds)) for seconds in (self._call_s, self._limit_s - _LEAD_S))
        rows, most = int(first), int(alone)
        second = int(min(max_rows, self._fit_rows(self._limit_s - self._predict_s(rows))))
        together_s = self._predict_s(rows) + (self._predict_s(second) if second else _LEAD_S)
        self._alone = most > 0 and (
            not second or (rows + second) * (self._predict_s(most) + _LEAD_S) < most * together_s
        )
        return alone if self._alone else first

    def _predict_s(self, rows: float) -> float:
        """Seconds that a call of so many rows of usual length takes; 0 if nothing is known."""
        return max(0.0, (self._single_s or 0.0) + (rows - 1) * (self._row_s or 0.0))

    def _fit_rows(self, seconds: float) -> float:
        """The most rows whose call is predicted to take no longer; 0 where one takes longer."""
        further_s = seconds - (self._single_s or 0.0)
        if further_s < 0:
            return 0.0
        return 1 + min(further_s / (self._row_s or 1e-9), 1e9) + _ROUNDING
