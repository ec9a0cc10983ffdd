"""Runs the scripts of this folder in the environments of trainers."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).parent
VARIABLES = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
LIMIT_S = 900
"""For a trainer that hangs; a run takes two minutes, most of them imports."""


@dataclass(frozen=True)
class Finished:
    """How a trainer ended."""

    status: int
    said: str


def run(python: str, script: str | Path, *arguments: str, folder: str | None = None, **variables: str) -> Finished:
    """The script in a trainer's environment, to its end; what it started ends with it."""
    command = [python, str(HERE / script), *arguments]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **VARIABLES, **variables}, **pipes)
    family: list[psutil.Process] = []
    try:
        said, _ = process.communicate(timeout=LIMIT_S)
    except BaseException:
        family = psutil.Process(process.pid).children(recursive=True)
        raise
    finally:
        for member in family:
            member.kill()
        process.kill()
    return Finished(process.returncode, said)


def finish(python: str, script: str | Path, *arguments: str, folder: str | None = None, **variables: str) -> str:
    """What a script says that must end well."""
    finished = run(python, script, *arguments, folder=folder, **variables)
    assert finished.status == 0, finished.said[-5000:]
    return finished.said


def version_of(python: str, package: str) -> str:
    """Of an installed package."""
    program = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
