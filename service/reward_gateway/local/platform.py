"""Checks whether the embedded Triton can run here. Each error message says what to do instead."""

import ctypes
import json
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from reward_gateway.local.errors import StackError

USE_ANOTHER_SERVER = (
    "Or use a Triton server elsewhere: set REWARD_GATEWAY_TRITON_URL to its gRPC address (host:port), "
    "for instance that of deploy/compose.yaml."
)
_GLIBC = (2, 35)  # what the server was linked against
_PYTHONS = ("3.11", "3.12")  # those with a stub in the server, and a numpy 1 to go with it
# Asked of the environment's own interpreter, which need not be ours.
_QUESTION = """
import importlib.metadata, importlib.util, json, sys, sysconfig
try:
    numpy = importlib.metadata.version("numpy")
except importlib.metadata.PackageNotFoundError:
    numpy = ""
spec = importlib.util.find_spec("pytriton")
print(json.dumps({
    "version": "%d.%d" % sys.version_info[:2],
    "numpy": numpy,
    "server": spec.submodule_search_locations[0] + "/tritonserver" if spec else "",
    "libraries": [sysconfig.get_config_var("LIBDIR") or "", sys.base_prefix + "/lib"],
}))
"""


@dataclass(frozen=True, slots=True)
class TritonHome:
    """The locations of the parts of the embedded Triton.

    Args:
        env: the Python environment; its interpreter decides what the models import.
        root: folder of the server, its backends and its stubs.
        stub: the Python backend's stub for the environment's version of Python.
        libraries: folder of ``libpython``; None if the loader finds it by itself.
    """

    env: Path
    root: Path
    stub: Path
    libraries: Path | None


def check_machine(system: str = platform.system(), machine: str = platform.machine(), libc: str | None = None) -> None:
    """Check that the server's binary can run on this machine.

    Raises:
        StackError: not x86-64 Linux with glibc 2.35 or newer.
    """
    if (system, machine) != ("Linux", "x86_64"):
        raise StackError(
            f"the embedded Triton runs on x86-64 Linux, and this is {system} on {machine}. {USE_ANOTHER_SERVER}"
        )
    libc = _libc_version() if libc is None else libc
    name, _, version = libc.partition(" ")
    if name != "glibc" or tuple(int(part) for part in version.split(".")[:2]) < _GLIBC:
        raise StackError(
            f"the embedded Triton needs glibc 2.35 or newer (Debian 12, Ubuntu 22.04), and this machine has "
            f"{libc or 'another C library'}. {USE_ANOTHER_SERVER}"
        )


def find_triton(env: Path) -> TritonHome:
    """The parts of the embedded Triton in the Python environment ``env``.

    Raises:
        StackError: a part is missing; the message says how to install it.
    """
    python = env / "bin" / "python3"
    if not python.exists():
        raise StackError(
            f"there is no Python environment for Triton at {env}: run `make serve` in the project, "
            f"or set REWARD_GATEWAY_TRITON_ENV. {USE_ANOTHER_SERVER}"
        )
    facts = json.loads(subprocess.run([python, "-I", "-c", _QUESTION], capture_output=True, check=True).stdout)
    if facts["version"] not in _PYTHONS:
        raise StackError(
            f"Triton's Python backend runs Python {' or '.join(_PYTHONS)} (later ones lack the numpy 1 that it reads), "
            f"and {env} was made with Python {facts['version']}: install one of them, for instance with "
            f"`.venv/bin/uv python install {_PYTHONS[-1]}`, and run `make serve` again. {USE_ANOTHER_SERVER}"
        )
    root = Path(facts["server"])
    if not facts["server"] or not (root / "bin" / "tritonserver").exists():
        raise StackError(
            f"the environment {env} carries no Triton server: install requirements/tritonserver.txt there "
            f"(pip install --no-deps). {USE_ANOTHER_SERVER}"
        )
    stub = root / "python_backend_stubs" / facts["version"] / "triton_python_backend_stub"
    if int(facts["numpy"].partition(".")[0] or 0) != 1:
        raise StackError(
            f"the environment {env} has numpy {facts['numpy'] or 'missing'}, and this Triton's Python backend works "
            f"only with numpy 1: install requirements/triton.txt there. {USE_ANOTHER_SERVER}"
        )
    return TritonHome(env, root, stub, find_libpython(facts["version"], [Path(place) for place in facts["libraries"]]))


def find_libpython(version: str, places: list[Path]) -> Path | None:
    """The folder of ``places`` that holds ``libpythonX.Y.so.1.0``; None if the loader finds it by itself.

    Raises:
        StackError: the library is missing; the message names the package that contains it.
    """
    name = f"libpython{version}.so.1.0"
    for place in places:
        if (place / name).exists():
            return place
    try:
        ctypes.CDLL(name)
    except OSError:
        raise StackError(
            f"Triton's Python backend needs {name}, and this machine lacks it. On Debian or Ubuntu: "
            f"sudo apt-get install libpython{version}, and run this again. {USE_ANOTHER_SERVER}"
        ) from None
    return None


def _libc_version() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return ""
