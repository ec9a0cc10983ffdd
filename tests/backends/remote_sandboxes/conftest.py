"""A server of a few lines that speaks SandboxFusion's and Piston's HTTP forms and really runs what it is sent."""

import asyncio
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.clock import until

COMMANDS: dict[str, list[str]] = {
    "python": [sys.executable, "-I", "program"],
    "bash": ["bash", "program"],
    "nodejs": ["node", "program"],
    "javascript": ["node", "program"],
    "cpp": ["./out"],
    "c++": ["./out"],
}
PISTON_OUTPUT = 1024
"""Bytes that this Piston lets a program write: what it does by default."""


@dataclass(frozen=True)
class Ended:
    """How a command went; ``code`` None: its time was over."""

    code: int | None
    stdout: str = ""
    stderr: str = ""


def run_command(command: list[str], folder: str, given: str, seconds: float) -> Ended:
    try:
        done = subprocess.run(
            command, cwd=folder, input=given.encode(), capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return Ended(None)
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


def run_program(language: str, program: str, given: str, seconds: float) -> tuple[Ended | None, Ended | None]:
    """How its compilation went, and its run."""
    with tempfile.TemporaryDirectory() as folder:
        built = None
        if language in ("cpp", "c++"):
            Path(folder, "program.cpp").write_text(program)
            built = run_command(["g++", "-w", "program.cpp", "-o", "out"], folder, "", 60)
            if built.code != 0:
                return built, None
        Path(folder, "program").write_text(program)
        return built, run_command(COMMANDS[language], folder, given, seconds)


def fusion_part(ended: Ended | None) -> dict[str, Any] | None:
    if ended is None:
        return None
    status = "TimeLimitExceeded" if ended.code is None else "Finished"
    return {"status": status, "return_code": ended.code, "stdout": ended.stdout, "stderr": ended.stderr}


def piston_part(ended: Ended) -> dict[str, Any]:
    signal, status = None, None
    if ended.code is None:
        signal, status = "SIGKILL", "TO"
    elif ended.code < 0:
        signal, status = "SIGSEGV", "SG"
    elif ended.code:
        status = "RE"
    part = {"code": None if ended.code is None or ended.code < 0 else ended.code, "signal": signal, "status": status}
    if len(ended.stdout) > PISTON_OUTPUT:
        return {**part, "stdout": "", "stderr": "", "code": None, "signal": "SIGKILL", "status": "OL"}
    return {**part, "stdout": ended.stdout, "stderr": ended.stderr, "output": ended.stdout + ended.stderr}


@dataclass
class FakeSandbox:
    """Runs programs in the form of either protocol; ``fault`` may answer in its place. Keeps what reached it."""

    address: str = ""
    fault: Callable[[int], Response | None] = lambda number: None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    seconds: Callable[[str], float | None] = lambda given: None
    """How long it says that the run of an input took; None: it does not say."""

    async def answer(self, request: Request) -> Response:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.paths.append(request.url.path)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            fault = self.fault(len(self.bodies))
            if fault is not None:
                return fault
            speak = self.run_code if request.url.path.endswith("/run_code") else self.execute
            return await asyncio.to_thread(speak, body)
        finally:
            self.running -= 1

    def run_code(self, body: dict[str, Any]) -> Response:
        """SandboxFusion's."""
        if body["language"] not in COMMANDS:
            return JSONResponse({"detail": "no such language"}, 422)
        built, ran = run_program(body["language"], body["code"], body["stdin"] or "", body["run_timeout"])
        parts = [part for part in (built, ran) if part is not None]
        status = "Success" if all(part.code == 0 for part in parts) else "Failed"
        results = {"compile_result": fusion_part(built), "run_result": fusion_part(ran)}
        if results["run_result"] is not None and (seconds := self.seconds(body["stdin"])) is not None:
            results["run_result"]["execution_time"] = seconds
        return JSONResponse({"status": status, "message": "", **results, "executor_pod_name": None, "files": {}})

    def execute(self, body: dict[str, Any]) -> Response:
        """Piston's."""
        if body["language"] not in COMMANDS:
            return JSONResponse({"message": f"{body['language']}-{body['version']} runtime is unknown"}, 400)
        if body["run_timeout"] > 30_000:
            return JSONResponse({"message": "run_timeout cannot exceed the configured limit of 30000"}, 400)
        program = body["files"][0]["content"]
        built, ran = run_program(body["language"], program, body["stdin"], body["run_timeout"] / 1e3)
        answer: dict[str, Any] = {"language": body["language"], "version": "1.0.0"}
        if built is not None:
            answer["compile"] = piston_part(built)
        answer["run"] = piston_part(ran) if ran is not None else answer["compile"]
        if (seconds := self.seconds(body["stdin"])) is not None:
            answer["run"]["wall_time"] = seconds * 1e3
        return JSONResponse(answer)


@pytest.fixture
async def fake() -> AsyncIterator[FakeSandbox]:
    """A server on a free port, with :class:`FakeSandbox` behind it."""
    sandbox = FakeSandbox()
    app = Starlette(routes=[Route("/{path:path}", sandbox.answer, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    await until(lambda: server.started)
    sandbox.address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield sandbox
    server.should_exit = True
    await asyncio.to_thread(thread.join)
