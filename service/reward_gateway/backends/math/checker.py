"""Compares mathematical answers in separate processes, so that no expression can block the gateway."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from reward_gateway.errors import InternalError
from reward_gateway.sample import Invalid

PAIR_TIMEOUT_S = 3.0
GRACE_S = 1.0
START_TIMEOUT_S = 30.0
PROCESSES = max(1, min(4, (os.cpu_count() or 1) // 2))

TOO_HARD = Invalid("operation_error", "comparing the answer takes too long or too much memory", param="response")
UNREADABLE = Invalid("invalid_field", "reference: holds no mathematical expression that can be read", param="reference")
LATE = Invalid("deadline_exceeded", "the deadline passed before this answer was compared")
Verdict = bool | Invalid


class MathChecker:
    """Compares pairs of texts as mathematics. Its processes start when first needed, and are reused.

    Args:
        processes: maximum pairs compared concurrently.
        pair_timeout_s: time limit per pair; a process that exceeds it is killed.
    """

    def __init__(self, processes: int = PROCESSES, pair_timeout_s: float = PAIR_TIMEOUT_S) -> None:
        self._pair_timeout_s = pair_timeout_s
        self._free = asyncio.Semaphore(processes)
        self._idle: list[asyncio.subprocess.Process] = []
        self._all: set[asyncio.subprocess.Process] = set()

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
        async with self._free:
            process = self._idle.pop() if self._idle else await self._start_process()
            limit = self._pair_timeout_s + GRACE_S
            left = limit if deadline is None else deadline - asyncio.get_running_loop().time()
            if left <= 0:
                self._idle.append(process)
                return LATE
            answer = await self._ask_process(process, reference, response, min(left, limit))
        if answer is None and left < limit:
            return LATE
        if answer is None or answer.get("why") == "too_hard":
            return TOO_HARD
        return UNREADABLE if answer["equal"] is None else bool(answer["equal"])

    async def _start_process(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"{__package__}.child", str(self._pair_timeout_s)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self._all.add(process)
        if await self._ask_process(process, "1", "1", START_TIMEOUT_S) is None:
            raise InternalError("the process that compares mathematical answers failed to start")
        return self._idle.pop()

    async def _ask_process(
        self, process: asyncio.subprocess.Process, reference: str, response: str, timeout_s: float
    ) -> dict[str, Any] | None:
        """Return the process's answer and put the process back; on a failure or timeout, kill it and return None."""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                process.stdin.write(json.dumps({"reference": reference, "response": response}).encode() + b"\n")
                await process.stdin.drain()
                answer: dict[str, Any] = json.loads(await process.stdout.readline())
        except (TimeoutError, OSError, ValueError):
            await self._end_process(process)
            return None
        except asyncio.CancelledError:
            await self._end_process(process)  # it still works on an answer that is no longer needed
            raise
        self._idle.append(process)
        return answer

    async def _end_process(self, process: asyncio.subprocess.Process) -> None:
        self._all.discard(process)
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def close(self) -> None:
        """End the processes."""
        self._idle.clear()
        await asyncio.gather(*(self._end_process(process) for process in list(self._all)))
