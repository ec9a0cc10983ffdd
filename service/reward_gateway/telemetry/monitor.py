"""Monitors rewards of live traffic: recent scores per recipe, without any text.

The hot path only stores references to the arrays of a batch. They are processed together, thousands of rows at a time,
when enough of them wait, after a few seconds, or when a report is requested, so that a batch of one costs little.

These windows belong to one process, and with several workers each sees an arbitrary share of the traffic;
:mod:`.shared_monitor` builds the shared windows from the columns processed here. A reset reaches all workers through a
file in the folder that their metrics share.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from reward_gateway.observer import ScoredPlan
from reward_gateway.sample import FloatArray, Scored

from .observations import Observation, columns_of
from .report import report_of
from .window import REWARD, Columns, Window

WINDOW = 2048
"""Rows per recipe in the window, and in its reference."""

WAITING_ROWS = 4096
"""Number of waiting rows that triggers processing."""

WAITING_BATCHES = 256
"""Number of waiting batches that triggers processing, which then blocks the loop for about a millisecond."""

WAITING_S = 5.0
"""Seconds after which the next batch triggers processing."""

MOST_RECIPES = 256
"""Maximum recipes monitored; beyond it (a file reloaded with ever new names) the oldest are dropped."""


class Watched:
    """One version of one recipe."""

    def __init__(self, version: str, ensemble: tuple[str, ...], size: int) -> None:
        self.version, self.ensemble, self.window = version, ensemble, Window(size)


Reader = Callable[[str, str, tuple[str, ...], Columns], None]
"""Called with a recipe, its version, its ensemble, and the columns that were processed together."""


class Monitor:
    """The windows of every recipe in use.

    Args:
        size: rows per window.
        reader: called with the columns of a recipe that were processed together.
        shared: a folder shared by the workers, through which a reset of one reaches the others.
    """

    def __init__(self, size: int = WINDOW, reader: Reader | None = None, shared: Path | None = None) -> None:
        self._size, self._reader = size, reader
        self._noted: deque[Observation] = deque()
        self._rows, self._read_at = 0, monotonic()
        self._watched: dict[str, Watched] = {}
        self._lock = threading.Lock()  # a scrape processes batches in a thread, while the loop adds more
        self._mark = shared / "monitor.reset" if shared is not None else None
        self._marked = _read_mark_time(self._mark)

    def note_batch(self, plan: ScoredPlan | None, scored: Scored, lengths: FloatArray | None) -> None:
        """Queue a batch. ``lengths``: characters of the responses [n], NaN if a sample has none."""
        self._noted.append(Observation.of(plan, scored, lengths))
        self._rows += len(scored.reward)
        full = self._rows >= WAITING_ROWS or len(self._noted) >= WAITING_BATCHES
        if full or monotonic() - self._read_at > WAITING_S:
            self.read_noted()

    def read_noted(self) -> None:
        """Add all queued batches to their windows."""
        with self._lock:
            self._apply_remote_reset()
            self._rows, self._read_at = 0, monotonic()
            batches: dict[tuple[str, str, tuple[str, ...]], list[Observation]] = {}
            while self._noted:
                observation = self._noted.popleft()
                if len(observation.reward):
                    key = (observation.recipe, observation.version, observation.names)
                    batches.setdefault(key, []).append(observation)
            for (recipe, version, _), together in batches.items():
                columns = columns_of(together)
                self._find_window(recipe, version, together[0].ensemble).append(columns, len(columns[REWARD]))
                if self._reader is not None:
                    self._reader(recipe, version, together[0].ensemble, columns)

    def _find_window(self, recipe: str, version: str, ensemble: tuple[str, ...]) -> Window:
        """The window of a recipe; another version gets a new window, because its numbers mean something else."""
        watched = self._watched.get(recipe)
        if watched is None or watched.version != version:
            while len(self._watched) >= MOST_RECIPES:
                del self._watched[next(iter(self._watched))]
            watched = self._watched[recipe] = Watched(version, ensemble, self._size)
        return watched.window

    def report(self) -> dict[str, dict[str, Any]]:
        """The report of every recipe, by name; see :func:`report_of`."""
        self.read_noted()
        with self._lock:
            windows = [
                (recipe, watched, window.latest_rows(), window.reference, window.since_reference)
                for recipe, watched in self._watched.items()
                for window in (watched.window,)
            ]
        return {
            recipe: {
                "version": watched.version,
                "window": self._size,
                **report_of(columns, reference, since, watched.ensemble),
            }
            for recipe, watched, columns, reference, since in windows
        }

    def reset(self) -> None:
        """Start new references, in every worker."""
        self.read_noted()
        if self._mark is not None:
            self._mark.touch()
            os.utime(self._mark)
        with self._lock:
            self._marked = _read_mark_time(self._mark)
            self._reset_windows()

    def _apply_remote_reset(self) -> None:
        changed = _read_mark_time(self._mark)
        if changed != self._marked:
            self._marked = changed
            self._reset_windows()

    def _reset_windows(self) -> None:
        for watched in self._watched.values():
            watched.window.reset()


def _read_mark_time(mark: Path | None) -> int:
    try:
        return mark.stat().st_mtime_ns if mark is not None else 0
    except FileNotFoundError:
        return 0
