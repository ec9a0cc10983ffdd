"""Reward programs before they are kept: run over sample observations, so that what cannot work is refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reward_gateway.sample import Invalid

from .effects import Effectful, RunSandboxed, perform
from .sandboxed import SandboxResult
from .score.program import driven, steps_of
from .transform.sign_scale import signed

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """How one program did on the samples: its values, None where it failed, and why."""

    values: list[float | None]
    errors: list[dict[str, Any]]

    @property
    def passed(self) -> bool:
        return not self.errors


@dataclass(frozen=True, slots=True)
class Report:
    """Both programs' checks and the rewards that they give together."""

    sparse: Check
    dense: Check

    @property
    def valid(self) -> bool:
        return self.sparse.passed and self.dense.passed

    def describe(self) -> dict[str, Any]:
        """As JSON: ``valid``, ``checks`` by program, ``rewards`` of the samples (null unless valid)."""
        checks = {
            name: {"passed": check.passed, "values": check.values, "errors": check.errors}
            for name, check in (("sparse", self.sparse), ("dense", self.dense))
        }
        rewards = None
        if self.valid:
            sparse, dense = (np.array(check.values, dtype=np.float64) for check in (self.sparse, self.dense))
            rewards = signed(sparse, dense, 1.0, 0.1).tolist()
        return {"valid": self.valid, "checks": checks, "rewards": rewards}


def check_programs(sparse_src: str, dense_src: str, samples: Sequence[Any]) -> Effectful[Report | Invalid]:
    """Run both sources over the samples, as one episode; or why they could not be run."""
    programs = [driven(sparse_src, "sparse"), driven(dense_src, "dense")]
    answers = yield from perform(RunSandboxed("python", programs, [list(samples)] * 2, TIMEOUT_S))
    unrun = next((answer for answer in answers if isinstance(answer, Invalid)), None)
    if unrun is not None:
        return unrun
    return Report(*(_read_check(answer, len(samples)) for answer in answers))


def _read_check(answer: Any, count: int) -> Check:
    result = SandboxResult.of(answer)
    if not result.ok:
        return Check([], [{"step": None, "error": result.error}])
    values, faults = steps_of(answer, count)
    errors = [{"step": t, "error": fault} for t, fault in enumerate(faults) if fault is not None]
    return Check([None if faults[t] is not None else float(value) for t, value in enumerate(values)], errors)
