"""The rows of a batch while it is evaluated: which are valid, why the others are not, and what is flagged."""

from collections.abc import Iterable, Mapping
from copy import copy

import numpy as np

from reward_gateway.sample import Batch, FloatArray, Invalid, all_finite

NOT_FINITE = Invalid("not_finite", "the recipe's result for this sample is not a finite number")


class Rows:
    """The rows of one batch.

    Attributes:
        invalid: the failed rows, each with the first reason that was told.
        flags: the flags of rows, in the order in which they were raised.
        absent: rows without a value of the component that is at work, an optional one; its transforms skip them.
    """

    def __init__(self, batch: Batch) -> None:
        self.size = batch.size
        self.invalid: dict[int, Invalid] = dict(batch.invalid)
        self.flags: dict[int, tuple[str, ...]] = dict(batch.flags)
        self.absent: frozenset[int] = frozenset()
        self._valid: list[int] | None = None
        self._failed = 0

    def fork(self, absent: frozenset[int]) -> "Rows":
        """Rows of their own for one component, which are valid where these are: what it tells of them stays with it.

        Args:
            absent: the rows that it leaves out.
        """
        apart = copy(self)
        apart.invalid, apart.flags, apart.absent, apart._valid = dict(self.invalid), {}, absent, None
        return apart

    def valid(self) -> list[int]:
        """The rows that have not failed and are not absent, in order."""
        if self._valid is None or len(self.invalid) != self._failed:
            self._failed = len(self.invalid)
            self._valid = (
                [i for i in range(self.size) if i not in self.invalid] if self.invalid else list(range(self.size))
            )
        return [i for i in self._valid if i not in self.absent] if self.absent else self._valid

    def fail(self, reasons: Mapping[int, Invalid], component: str | None) -> None:
        """Fail rows; those that have failed already keep their reason."""
        for i, reason in reasons.items():
            self.invalid.setdefault(i, reason.of(component) if component else reason)

    def fail_all(self, rows: Iterable[int], reason: Invalid, component: str | None) -> None:
        """Fail rows for one reason."""
        self.fail(dict.fromkeys(rows, reason), component)

    def leave_out(self, rows: Iterable[int]) -> None:
        """Take rows for absent that have failed."""
        for i in rows:
            self.invalid.pop(i, None)
        self.absent, self._valid = self.absent | frozenset(rows), None

    def flag(self, flags: Mapping[int, tuple[str, ...]]) -> None:
        """Flag rows."""
        for i, names in flags.items():
            self.flags[i] = tuple(dict.fromkeys((*self.flags.get(i, ()), *names)))

    def fail_non_finite(self, reward: FloatArray) -> None:
        """Fail the rows whose reward is not a finite number."""
        if not all_finite(reward):
            self.fail_all(np.flatnonzero(~np.isfinite(reward)).tolist(), NOT_FINITE, None)

    def restore(self, invalid: Mapping[int, Invalid], flags: Mapping[int, tuple[str, ...]]) -> None:
        """Take back what was told since a copy of ``invalid`` and ``flags`` was made."""
        self.invalid, self.flags, self.absent = dict(invalid), dict(flags), frozenset()
