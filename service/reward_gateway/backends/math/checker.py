"""Compares mathematical answers in separate processes, so that no expression can block the gateway."""

import asyncio
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count

from reward_gateway.backends.workers.pool import NotDone, WorkerPool
from reward_gateway.fair_queue import charge_to, current_share
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.sample import Invalid

from .comparison import DEFAULT, Tolerances, compare_answers, prepare, prepare_slow

PAIR_TIMEOUT_S = 3.0
MOST_TIMES = 20.0
"""A pair has this many times its time by the clock on the wall, whatever else the machine does."""
QUICK_S = 0.1
"""Seconds on a CPU that nearly every pair ends in. One that does not begins anew among the slow ones."""
PATIENCE_S = 5.0
"""Seconds that a pair waits before a further process is started for it: that takes as long as some twenty pairs."""

_OFTEN_ENDLESS = re.compile(r"\d\s?\^\s?\{?\s?-?\d+(?:\s?\^|\d{4})|\d{4,}\s?\)?\s?!|\}\s?\)\s?!")
"""Towers of powers, and powers and factorials of large numbers: they begin among the slow ones."""

PROCESSES = max(2, os.cpu_count() or 1)
REMEMBERED = 20_000
"""Verdicts that are kept: the same answers come again and again in a run."""

TOO_HARD = Invalid("operation_error", "comparing the answer takes too long or too much memory", param="response")
UNREADABLE = Invalid("invalid_field", "reference: holds no mathematical expression that can be read", param="reference")
LATE = Invalid("deadline_exceeded", "the deadline passed before this answer was compared")
LOST = Invalid("worker_lost", "the process that compared this answer has ended; send it again")
Verdict = tuple[bool, str] | Invalid
"""Whether two expressions are equal, and by what (symbolic, numeric); or why that is not known."""

Comparison = tuple[bool, str] | None
"""What a comparison finds out; None: the reference cannot be read."""

Pair = tuple[str, str]


class MathChecker:
    """Compares pairs of texts as mathematics. Its processes start when first needed, and are reused.

    There are half as many for pairs that take long, up to twice that while several callers want one, with a lower
    priority: an easy pair waits for no more than the first moments of a hostile one.

    Args:
        processes: maximum pairs compared concurrently, without those that take long.
        pair_timeout_s: time per pair on a CPU: whether an answer is right does not depend on what else the machine
            does. A process that exceeds it is killed.
        observer: told of comparisons that are not done.
    """

    def __init__(
        self, processes: int = PROCESSES, pair_timeout_s: float = PAIR_TIMEOUT_S, observer: Observer = UNOBSERVED
    ) -> None:
        self._pair_timeout_s = pair_timeout_s
        self.pool = WorkerPool(prepare, processes, patience_s=PATIENCE_S, name="math", observer=observer)
        self.slow_pool = WorkerPool(prepare_slow, max(1, processes // 2), name="math_slow", observer=observer)
        self._known: OrderedDict[tuple[Pair, Tolerances], Comparison] = OrderedDict()
        self._numbers = count()

    async def compare(
        self,
        pairs: Sequence[Pair],
        deadline: float | None = None,
        tolerances: Tolerances = DEFAULT,
        pair_timeout_s: float | None = None,
    ) -> list[Verdict]:
        """Whether the expressions of each pair are equal, or why that cannot be decided.

        Equal pairs are compared once, and verdicts are remembered. Every call has its own place in the line for
        processes, so that the hostile answers of one request delay no other's easy ones.

        Args:
            pairs: (reference, response), in LaTeX.
            deadline: time on the loop's clock, waiting for a process included.
            pair_timeout_s: time per pair on a CPU; None: the checker's.
        """
        distinct = list(dict.fromkeys(pairs))
        limit_s = self._pair_timeout_s if pair_timeout_s is None else pair_timeout_s
        share = current_share()
        with charge_to(share._replace(caller=f"{share.caller}#{next(self._numbers)}")):
            verdicts = await asyncio.gather(
                *(self._compare_pair(pair, tolerances, deadline, limit_s) for pair in distinct)
            )
        verdict_of = dict(zip(distinct, verdicts, strict=True))
        return [verdict_of[pair] for pair in pairs]

    async def _compare_pair(
        self, pair: Pair, tolerances: Tolerances, deadline: float | None, limit_s: float
    ) -> Verdict:
        key = pair, tolerances
        if key in self._known:
            self._known.move_to_end(key)
            verdict = self._known[key]
            return UNREADABLE if verdict is None else verdict
        work = partial(compare_answers, *pair, tolerances)
        try:
            verdict = await self._do(work, deadline, limit_s, is_slow=any(map(_OFTEN_ENDLESS.search, pair)))
        except NotDone as cause:
            if cause.why == "lost":
                return LOST
            return LATE if _has_passed(deadline) else TOO_HARD
        self._known[key] = verdict
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return UNREADABLE if verdict is None else verdict

    async def _do(
        self, work: Callable[[], Comparison], deadline: float | None, limit_s: float, *, is_slow: bool
    ) -> Comparison:
        """Do a comparison among the quick ones, else among the slow ones. Raises NotDone."""
        comparison: Comparison
        most_s, quick_s = MOST_TIMES * limit_s, min(QUICK_S, limit_s)
        try:
            if not is_slow:
                comparison = await self.pool.run(work, deadline, limit_s=most_s, cpu_s=quick_s, is_tried=True)
        except NotDone as cause:
            if cause.why != "time" or quick_s == limit_s or _has_passed(deadline):
                raise
            is_slow = True
        if is_slow:
            comparison = await self.slow_pool.run(work, deadline, limit_s=most_s, cpu_s=limit_s)
        return comparison

    async def close(self) -> None:
        """End the processes."""
        await asyncio.gather(self.pool.close(), self.slow_pool.close())


def _has_passed(deadline: float | None) -> bool:
    return deadline is not None and deadline <= asyncio.get_running_loop().time()
