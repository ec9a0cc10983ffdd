"""Compares mathematical answers in separate processes, so that no expression can block the gateway."""

import asyncio
import os
from collections.abc import Sequence
from functools import partial

from reward_gateway.backends.workers.pool import NotDone, WorkerPool
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.sample import Invalid

from .comparison import compare_answers, prepare

PAIR_TIMEOUT_S = 3.0
MOST_TIMES = 20.0
"""A pair has this many times its time by the clock on the wall, whatever else the machine does."""

PROCESSES = max(1, min(4, (os.cpu_count() or 1) // 2))

TOO_HARD = Invalid("operation_error", "comparing the answer takes too long or too much memory", param="response")
UNREADABLE = Invalid("invalid_field", "reference: holds no mathematical expression that can be read", param="reference")
LATE = Invalid("deadline_exceeded", "the deadline passed before this answer was compared")
LOST = Invalid("worker_lost", "the process that compared this answer has ended; send it again")
Verdict = bool | Invalid


class MathChecker:
    """Compares pairs of texts as mathematics. Its processes start when first needed, and are reused.

    Args:
        processes: maximum pairs compared concurrently.
        pair_timeout_s: time per pair on a CPU: whether an answer is right does not depend on what else the machine
            does. A process that exceeds it is killed.
        observer: told of comparisons that are not done.
    """

    def __init__(
        self, processes: int = PROCESSES, pair_timeout_s: float = PAIR_TIMEOUT_S, observer: Observer = UNOBSERVED
    ) -> None:
        self._pair_timeout_s = pair_timeout_s
        self.pool = WorkerPool(prepare, processes, name="math", observer=observer)

    async def compare(self, pairs: Sequence[tuple[str, str]], deadline: float | None = None) -> list[Verdict]:
        """Whether each response equals its reference, or why that cannot be decided. Equal pairs are compared once.

        Args:
            pairs: (reference, response).
            deadline: time on the loop's clock.
        """
        distinct = list(dict.fromkeys(pairs))
        verdicts = await asyncio.gather(*(self._compare_pair(*pair, deadline) for pair in distinct))
        verdict_of = dict(zip(distinct, verdicts, strict=True))
        return [verdict_of[pair] for pair in pairs]

    async def _compare_pair(self, reference: str, response: str, deadline: float | None) -> Verdict:
        work = partial(compare_answers, reference, response)
        try:
            equal: bool | None = await self.pool.run(
                work, deadline, limit_s=MOST_TIMES * self._pair_timeout_s, cpu_s=self._pair_timeout_s
            )
        except NotDone as cause:
            if cause.why == "lost":
                return LOST
            is_late = deadline is not None and deadline <= asyncio.get_running_loop().time()
            return LATE if is_late else TOO_HARD
        return UNREADABLE if equal is None else equal

    async def close(self) -> None:
        """End the processes."""
        await self.pool.close()
