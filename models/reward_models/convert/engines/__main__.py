"""The process of an engine: a task on its standard input, then rows, and for each message an answer on its output."""

import importlib
import logging
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reward_models.convert.engines.batches import Outcome, TokenIds
from reward_models.convert.engines.task import Engine, Task
from reward_models.runtime.engine_messages import Closed, read_message, write_message

log = logging.getLogger("reward_models")

ENGINES: Mapping[str, str] = {"torch": "torch_engine.TorchEngine", "vllm": "vllm_engine.VllmEngine"}
"""Name -> module and class."""


def open_engine(name: str, task: Task) -> Engine:
    """Load a task's checkpoint into an engine."""
    module, _, made = ENGINES[name].partition(".")
    engine: Engine = getattr(importlib.import_module(f"reward_models.convert.engines.{module}"), made)(task)
    return engine


def answer_rows(engine: Engine, asked: Sequence[Mapping[str, list[int]]]) -> dict[str, Any]:
    """The answer to rows of token ``ids`` and ``types``."""
    rows = [TokenIds(**row) for row in asked]
    try:
        return {"rows": [pack_outcome(outcome) for outcome in engine.score_rows(rows)]}
    except Exception as error:  # any failure is reported, and the next rows are tried
        # The traceback without the message, which may quote a caller's text.
        log.error("%s at\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
        return {"failed": type(error).__name__}


def pack_outcome(outcome: Outcome) -> Any:
    """Numbers as a list; an error as it is."""
    return outcome if isinstance(outcome, str) else np.asarray(outcome, np.float64).tolist()


def serve(name: str, source: int, target: int) -> int:
    """Serve until the source closes. 0; 1 if the engine did not start or its device is lost."""
    task = Task.parse(read_message(source))
    try:
        engine = open_engine(name, task)
    except Exception as error:
        log.error("%s", traceback.format_exc())
        write_message(target, {"failed": f"{type(error).__name__}: {error}"[:2000]})
        return 1
    write_message(target, {"ready": engine.described})
    while True:
        answer = answer_rows(engine, read_message(source))
        write_message(target, answer)
        if "failed" in answer and not engine.is_well():
            return 1  # a CUDA device that has failed once fails this process for ever; the next one is well


def main() -> int:
    """Serve over standard input and output; whatever else is printed goes to the error stream."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal, which is for Triton
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    target = os.dup(1)
    os.dup2(2, 1)
    try:
        return serve(sys.argv[-1], 0, target)
    except Closed:
        return 0


if __name__ == "__main__":
    sys.exit(main())
