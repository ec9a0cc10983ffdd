"""The two protocols: what is sent for one run of a program, and what its answer says.

SandboxFusion: ``POST /run_code`` (github.com/bytedance/SandboxFusion, sandbox/server/sandbox_api.py). Piston:
``POST /api/v2/execute``, ``/api/v2/piston/execute`` (github.com/engineer-man/piston, api/src/api/v2.js, job.js).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from ..sandbox.languages import COMPILE_S, describe_refusal, is_compiler_fault
from .config import SandboxConfig

PISTON_LEAST_OUTPUT = 1024
"""Bytes that a Piston server lets programs write, if its operator has not said otherwise."""


@dataclass(frozen=True, slots=True)
class Run:
    """How a run went.

    Attributes:
        output: what the program wrote.
        error: why it did not end well, as the gateway's own sandbox names it: ``timeout``, ``output``, ``crashed``,
            ``exit status N``, ``compile error: …``; None if it ended well.
        seconds: how long it took by the server's clock; None: it does not say.
    """

    output: str
    error: str | None = None
    seconds: float | None = None


class ServerFault(Exception):
    """The server failed, not the program; another time it may not."""


class Unrunnable(Exception):
    """The server could not run it, and could not another time."""


class _FusionCommand(msgspec.Struct):
    status: Literal["Finished", "Error", "TimeLimitExceeded"]
    execution_time: float | None = None
    return_code: int | None = None
    stdout: str | None = None
    stderr: str | None = None


class _FusionAnswer(msgspec.Struct):
    status: Literal["Success", "Failed", "SandboxError"]
    compile_result: _FusionCommand | None = None
    run_result: _FusionCommand | None = None


class _PistonStage(msgspec.Struct):
    stdout: str
    stderr: str = ""
    code: int | None = None
    signal: str | None = None
    status: str | None = None
    wall_time: float | None = None


class _PistonAnswer(msgspec.Struct):
    run: _PistonStage | None = None
    compile: _PistonStage | None = None


@dataclass(frozen=True, slots=True)
class Protocol:
    """One of the protocols.

    Attributes:
        path: what is called where the address has no path.
        languages: its names of the languages, by ours.
        write: the request for a program, its language (by the protocol's name), its input and its time.
        read: the run that an answer tells of; ``expected`` bytes are what a right one writes. Raises ServerFault,
            Unrunnable, msgspec.DecodeError.
    """

    path: str
    languages: dict[str, str]
    write: Callable[[SandboxConfig, str, str, str, float], dict[str, Any]]
    read: Callable[[bytes, int], Run]

    def find_url(self, config: SandboxConfig) -> str:
        """The address that is called."""
        own = self.path.rpartition("/")[2]
        path = urlsplit(config.url).path
        if not path:
            return config.url + self.path
        return config.url if path.endswith(f"/{own}") else f"{config.url}/{own}"


def _write_fusion(config: SandboxConfig, language: str, program: str, given: str, timeout_s: float) -> dict[str, Any]:
    memory = -1 if config.memory is None else max(1, config.memory >> 20)
    request = {"language": language, "code": program, "stdin": given, "memory_limit_MB": memory}
    return {**request, "run_timeout": timeout_s, "compile_timeout": COMPILE_S}


def _read_fusion(body: bytes, expected: int) -> Run:
    answer = msgspec.json.decode(body, type=_FusionAnswer)
    if answer.status == "SandboxError":
        raise ServerFault("reports an error of its own (SandboxError)")
    built, ran = answer.compile_result, answer.run_result
    if any(part is not None and part.status == "Error" for part in (built, ran)):
        raise ServerFault("could not start the program")
    if built is not None and (built.status != "Finished" or built.return_code != 0):
        killed = built.status != "Finished" or built.return_code is None or not 0 < built.return_code < 128
        return _read_refused(built.stderr or built.stdout or "", killed=killed)
    if ran is None:
        raise ServerFault("did not say how the program ran")
    output = ran.stdout or ""
    if ran.status == "TimeLimitExceeded":
        return Run(output, "timeout")
    if ran.return_code is None:
        raise ServerFault("did not say how the program ended")
    return Run(output, _name_status(ran.return_code), ran.execution_time)


def _write_piston(config: SandboxConfig, language: str, program: str, given: str, timeout_s: float) -> dict[str, Any]:
    milliseconds = round(timeout_s * 1e3)
    request = {"language": language, "version": "*", "files": [{"name": "program", "content": program}]}
    limits = {"run_timeout": milliseconds, "run_cpu_time": milliseconds}
    memory = {} if config.memory is None else {"run_memory_limit": config.memory}
    return {**request, "stdin": given, **limits, **memory}


def _read_piston(body: bytes, expected: int) -> Run:
    answer = msgspec.json.decode(body, type=_PistonAnswer)
    built, ran = answer.compile, answer.run
    if built is not None and built.code != 0:
        if built.status == "XX":
            raise ServerFault("could not start the compiler")
        return _read_refused(built.stderr or built.stdout, killed=built.code is None or built.signal is not None)
    if ran is None:
        raise ServerFault("did not say how the program ran")
    if ran.status == "XX":
        raise ServerFault("could not start the program")
    if ran.status == "OL" and expected > PISTON_LEAST_OUTPUT:
        raise Unrunnable("cut the output, which may be shorter than a right one; raise PISTON_OUTPUT_MAX_SIZE")
    if ran.status in ("OL", "EL"):
        return Run("", "output")
    if ran.status == "TO" or (ran.code is None and ran.signal == "SIGKILL"):
        return Run(ran.stdout, "timeout")
    if ran.code is None and ran.signal is None:
        raise ServerFault("did not say how the program ended")
    error = "crashed" if ran.code is None or ran.signal is not None else _name_status(ran.code)
    return Run(ran.stdout, error, None if ran.wall_time is None else ran.wall_time / 1e3)


_FOLDER = re.compile(r"\S*/")


def _read_refused(said: str, *, killed: bool) -> Run:
    if killed or is_compiler_fault(said):
        raise Unrunnable("has a compiler that failed by itself: out of time, memory or space")
    return Run("", describe_refusal(_FOLDER.sub("", said)))


def _name_status(code: int) -> str | None:
    if code < 0:
        return "crashed"
    return None if code == 0 else f"exit status {code}"


_COMMON = {"python": "python", "bash": "bash"}

PROTOCOLS = {
    "sandboxfusion": Protocol("/run_code", {**_COMMON, "node": "nodejs", "cpp": "cpp"}, _write_fusion, _read_fusion),
    "piston": Protocol("/api/v2/execute", {**_COMMON, "node": "javascript", "cpp": "c++"}, _write_piston, _read_piston),
}
