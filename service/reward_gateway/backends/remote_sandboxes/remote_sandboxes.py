"""All remote sandboxes by name: programs with their tests in, verdicts in their order out."""

import asyncio
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from reward_gateway.errors import NotFound
from reward_gateway.fair_queue import Share, current_share
from reward_gateway.sample import Invalid

from ..sandbox.outputs import same_output
from ..sandbox.supervisor import MOST_KEPT
from .config import SandboxConfig
from .endpoint import SandboxEndpoint
from .protocols import Run

TOGETHER = 8
"""Tests of one program that are under way at the same time, after the first has shown that it can be run at all."""

Verdict = tuple[bool, str | None]


class RemoteSandboxes:
    """The declared sandboxes.

    Raises:
        SandboxesFileError: a sandbox's API key is not in the environment.
    """

    def __init__(self, configs: Iterable[SandboxConfig]) -> None:
        self._endpoints = {config.name: SandboxEndpoint(config) for config in configs}
        self._numbers = itertools.count()

    def has(self, name: str) -> bool:
        return name in self._endpoints

    def _find(self, sandbox: str | tuple[str, str]) -> SandboxEndpoint:
        """The sandbox of a name, or of an address and a protocol. Raises NotFound if none is declared as this."""
        chosen = sandbox if isinstance(sandbox, str) else (sandbox[0].rstrip("/"), sandbox[1])
        for name, endpoint in self._endpoints.items():
            if chosen in (name, (endpoint.config.url, endpoint.config.protocol)):
                return endpoint
        known = ", ".join(self._endpoints) or "none; REWARD_GATEWAY_SANDBOXES_FILE names them"
        raise NotFound(f"the operator has declared no sandbox with this name or address (sandboxes: {known})")

    async def run(
        self,
        sandbox: str | tuple[str, str],
        programs: Sequence[str],
        inputs: Sequence[dict[str, Any]],
        timeout_s: float,
        deadline: float | None = None,
        limits: Sequence[float | None] | None = None,
    ) -> list[dict[str, Any] | Invalid]:
        """Run programs with their tests of standard input, as :meth:`..sandbox.sandbox.Sandbox.run` does ``stdio``.

        Raises:
            NotFound: there is no such sandbox.
        """
        endpoint, share = self._find(sandbox), current_share()
        own = share._replace(caller=f"{share.caller}#{next(self._numbers)}")
        runs = (
            _ProgramRun(endpoint, program, tests, timeout_s if limit_s is None else limit_s, own, deadline).judge()
            for program, tests, limit_s in zip(programs, inputs, limits or [None] * len(programs), strict=True)
        )
        return list(await asyncio.gather(*runs))

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.gather(*(endpoint.close() for endpoint in self._endpoints.values()))


class _ProgramRun:
    """One program and its tests."""

    def __init__(
        self,
        endpoint: SandboxEndpoint,
        program: str,
        tests: dict[str, Any],
        timeout_s: float,
        share: Share,
        deadline: float | None,
    ) -> None:
        self._endpoint, self._program, self._tests = endpoint, program, tests
        self._timeout_s, self._share, self._deadline = timeout_s, share, deadline
        self._kept = 0
        self._seconds: list[float | None] = []

    async def judge(self) -> dict[str, Any] | Invalid:
        """A verdict per test, in order; or why there are none."""
        count = len(self._tests["inputs"])
        verdicts: list[Verdict] = []
        endings = 0
        while len(verdicts) < count:
            places = range(len(verdicts), min(count, len(verdicts) + (TOGETHER if verdicts else 1)))
            for place, run in zip(places, await asyncio.gather(*map(self._run, places)), strict=True):
                if endings >= self._tests["most_timeouts"] or (
                    self._tests["stop"] and verdicts and not verdicts[-1][0]
                ):
                    break
                if isinstance(run, Invalid):
                    return run
                if run.error is not None and run.error.startswith("compile error"):
                    return _answer([(False, run.error)] * count)
                self._seconds.append(run.seconds)
                endings += run.error in ("timeout", "crashed", "output")
                verdicts.append(await asyncio.to_thread(self._compare, place, run))
            else:
                continue
            verdicts += [(False, "not run")] * (count - len(verdicts))
        told = [seconds for seconds in self._seconds if seconds is not None]
        slowest_s = max(told) if told and len(told) == len(self._seconds) else None
        return {**_answer(verdicts), "slowest_s": slowest_s}

    async def _run(self, place: int) -> Run | Invalid:
        expected = len(self._tests["outputs"][place].encode(errors="replace"))
        return await self._endpoint.run(
            self._tests.get("language", "python"),
            self._program,
            self._tests["inputs"][place],
            expected,
            self._timeout_s,
            self._share,
            self._deadline,
        )

    def _compare(self, place: int, run: Run) -> Verdict:
        if run.error is not None:
            return False, run.error
        if self._tests["keep"]:
            self._kept += len(run.output)
            return (True, run.output) if self._kept <= MOST_KEPT else (False, "output")
        same = same_output(self._tests["outputs"][place], run.output, self._tests["rel_tol"], self._tests["abs_tol"])
        return same, None if same else "wrong answer"


def _answer(verdicts: list[Verdict]) -> dict[str, Any]:
    return {"ok": True, "value": [list(verdict) for verdict in verdicts], "error": None}
