"""An engine without torch: a row's number is the sum of its token ids. Some ids make it fail, as a checkpoint may."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from reward_models.convert.engines import __main__ as engines
from reward_models.convert.engines.batches import Batches, OutOfMemory, TokenIds

LARGE, RAISE, KILL, EXIT, HANG, NOT_A_NUMBER = 1000, 1001, 1002, 1003, 1004, 1005


class ArithmeticEngine:
    described = "arithmetic"

    def __init__(self, task: Any) -> None:
        if "refuse" in task.network:
            raise ValueError(task.network["refuse"])
        print("printed by a library")  # which must not come between the messages
        self._batches = Batches(self._run, task.token_budget)

    def score_rows(self, rows: Sequence[TokenIds]) -> Any:
        return self._batches.score_rows(rows)

    def is_well(self) -> bool:
        return True

    def _run(self, rows: Sequence[TokenIds]) -> list[Any]:
        said = {token for row in rows for token in row.ids}
        if LARGE in said:
            raise OutOfMemory
        if RAISE in said:
            raise RuntimeError("what a caller wrote")
        if KILL in said:
            os.kill(os.getpid(), signal.SIGKILL)
        if EXIT in said:
            os._exit(3)
        if HANG in said:
            signal.pause()
        numbers = [[float("nan") if NOT_A_NUMBER in row.ids else float(sum(row.ids))] for row in rows]
        return [np.array(number, np.float32) for number in numbers]


if __name__ == "__main__":
    assert "reward_models.convert.engines" in sys.argv[2]  # behind -c
    engines.open_engine = lambda name, task: ArithmeticEngine(task)
    sys.exit(engines.main())
