"""Runs a network over token rows in an engine of its own process: torch, or vLLM.

Triton's Python backend has one interpreter for all models, without torch and with an old numpy. So an engine runs in a
process of another environment's interpreter (``python -m reward_models.convert.engines NAME``), and only tokens and
numbers pass between the two. An engine that runs out of memory, hangs or crashes takes no other model with it: its
rows get an error that says to try again, and it is started anew.
"""

import importlib.util
import logging
import os
import shutil
import subprocess
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_models.runtime.budget import choose_budget
from reward_models.runtime.engine_messages import Closed, TookTooLong, read_message, write_message
from reward_models.runtime.instance import Instance
from reward_models.runtime.reading import RowError, TokenRow
from reward_models.runtime.session import count_threads

log = logging.getLogger("reward_models")

Outcome = NDArray[np.float32] | RowError
"""What a network gives for a row: its numbers, or why there are none."""

PYTHONS: Mapping[str, tuple[tuple[str, ...], str, tuple[str, ...]]] = {
    "torch": (
        ("REWARD_MODELS_TORCH_PYTHON", "REWARD_MODELS_CONVERT_PYTHON"),
        ".local/convert/bin/python",
        ("torch", "transformers"),
    ),
    "vllm": (("REWARD_MODELS_VLLM_PYTHON",), ".local/vllm/bin/python", ("vllm",)),
}
"""Engine -> variables that name its Python, the environment beside this package that has it, and what it imports."""

RUN = (
    "import runpy, sys; sys.path.append(sys.argv[1]); "
    "runpy.run_module('reward_models.convert.engines', None, '__main__')"
)
"""What an engine's Python runs: this package, found last, as packages of another Python may lie beside it."""

START_S = 3600
"""Seconds to load a checkpoint: the largest take half an hour from a network disk."""

ANSWER_S = 600
"""Seconds for the rows of one call; an engine that takes longer hangs."""

STOP_S = 10
LONGEST_PAUSE_S = 60


def find_python(engine: str) -> str:
    """The Python that runs an engine. Raises RuntimeError if there is none, and says how to get one."""
    variables, place, packages = PYTHONS[engine]
    for variable in variables:
        if named := os.environ.get(variable):
            return named
    made = Path(__file__).resolve().parents[3] / place
    if made.is_file():
        return str(made)
    here = shutil.which("python3")
    if here and all(importlib.util.find_spec(package) for package in packages):
        return here  # as in a container that has all of it; the backend itself is not run by an executable
    raise RuntimeError(
        f"No Python with {' and '.join(packages)} was found for the engine {engine}: set {variables[0]} to one"
        + (" (`make convert` makes it in .local/convert)." if engine == "torch" else ".")
    )


class EngineProcess:
    """A network in a process of its own, named by the card's ``settings.network``.

    Args:
        instance: whose folder holds the checkpoint. The card's ``engine`` may have ``token_budget`` (padded tokens per
            batch), ``answer_s`` (seconds for one call) and ``arguments`` (of vLLM's engine).
        start_s: seconds to load it.

    Raises:
        RuntimeError: it does not start; the message says why.
    """

    def __init__(self, instance: Instance, start_s: float = START_S) -> None:
        settings, how = instance.card["settings"], instance.card.get("engine", {})
        threads = count_threads()
        self.name: str = settings["network"]["engine"]
        self._command = [find_python(self.name), "-c", RUN, str(Path(__file__).resolve().parents[2]), self.name]
        self._start_s = start_s
        self._answer_s: float = how.get("answer_s", ANSWER_S)
        self._task = {
            "folder": str(instance.folder),
            "network": settings["network"],
            "pad": settings["pad"],
            "types": settings["types"],
            "tokens": settings["tokens"],
            "device": {"kind": instance.device.kind, "number": instance.device.number},
            "threads": threads,
            "token_budget": how.get("token_budget") or choose_budget(threads, on_gpu=instance.device.kind != "CPU"),
            "arguments": how.get("arguments", {}),
        }
        self._starting: threading.Thread | None = None
        self._ended = 0
        self._next_start = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._process = self._start()

    def score_rows(self, rows: Sequence[TokenRow]) -> list[Outcome]:
        """The network's numbers per row: [K], or for a network that scores tokens [t]; or why there are none.

        Raises:
            RuntimeError: the engine failed on these rows, for another reason than its memory.
        """
        if not rows:
            return []
        process = self._running()
        if process is None:
            return [RowError(f"unavailable: The engine {self.name} is starting; try again later.")] * len(rows)
        distinct = {row.key: row for row in rows}
        asked = [{"ids": row.ids, "types": row.types} for row in distinct.values()]
        assert process.stdin
        assert process.stdout
        try:
            write_message(process.stdin.fileno(), asked, self._answer_s)
            answer = read_message(process.stdout.fileno(), self._answer_s)
        except (Closed, TookTooLong) as error:
            return [RowError(self._explain_end(process, error, len(distinct)))] * len(rows)
        self._ended = 0
        if "failed" in answer:
            raise RuntimeError(f"The engine {self.name} failed: {answer['failed']}")
        found = dict(zip(distinct, map(read_outcome, answer["rows"]), strict=True))
        return [found[row.key] for row in rows]

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            stop_process(self._process)

    def _running(self) -> subprocess.Popen[bytes] | None:
        """The process; None while one that has ended is being started anew, in the background."""
        if self._starting is not None and self._starting.is_alive():
            return None
        if self._process is not None and self._process.poll() is None:
            return self._process
        if time.monotonic() >= self._next_start:
            self._ended += 1
            self._next_start = time.monotonic() + min(LONGEST_PAUSE_S, 2**self._ended)
            self._starting = threading.Thread(target=self._start_again, daemon=True)
            self._starting.start()
        return None

    def _start_again(self) -> None:
        try:
            self._process = self._start()
        except RuntimeError as error:
            log.error("%s", error)

    def _start(self) -> "subprocess.Popen[bytes]":
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            bufsize=0,
        )
        weakref.finalize(self, stop_process, process)
        assert process.stdin
        assert process.stdout
        try:
            write_message(process.stdin.fileno(), self._task)
            answer = read_message(process.stdout.fileno(), self._start_s)
        except Closed:
            process.wait()
            raise RuntimeError(f"The engine {self.name} ended while it started ({how_ended(process)}).") from None
        except TookTooLong:
            stop_process(process, at_once=True)
            raise RuntimeError(f"The engine {self.name} did not start within {self._start_s:g} s.") from None
        if "failed" in answer:
            stop_process(process)
            raise RuntimeError(f"The engine {self.name} does not start: {answer['failed']}")
        log.info("%s: the engine %s runs %s", self._task["folder"], self.name, answer["ready"])
        return process

    def _explain_end(self, process: "subprocess.Popen[bytes]", error: Exception, rows: int) -> str:
        stop_process(process, at_once=isinstance(error, TookTooLong))
        if isinstance(error, TookTooLong):
            log.error(
                "the engine %s gave no answer to %d rows within %g s, and was ended", self.name, rows, self._answer_s
            )
            return f"unavailable: The engine {self.name} gave no answer within {self._answer_s:g} s; try again later."
        log.error("the engine %s ended (%s) on %d rows", self.name, how_ended(process), rows)
        if process.returncode == -9:  # what the kernel does to a process for which no memory is left
            return f"overloaded: The engine {self.name} was killed, as when memory runs out; try again later."
        return f"unavailable: The engine {self.name} ended ({how_ended(process)}); try again later."


def read_outcome(sent: Any) -> Outcome:
    """A row's outcome as an engine sends it: numbers, or an error. A number that is not finite is an error."""
    if isinstance(sent, str):
        return RowError(sent)
    values = np.asarray(sent, np.float32)
    if not np.isfinite(values).all():
        return RowError("model_error: The network gave a number that is not finite.")
    return values


def stop_process(process: "subprocess.Popen[bytes]", at_once: bool = False) -> None:
    """End an engine: by closing its input, which it notices between calls, then by force."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    if at_once:
        process.kill()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def how_ended(process: "subprocess.Popen[bytes]") -> str:
    """How a process ended, in words."""
    code = process.returncode
    return f"signal {-code}" if code is not None and code < 0 else f"status {code}"
