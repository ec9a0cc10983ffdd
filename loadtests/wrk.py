"""Load from ``wrk``, a generator in C that leaves most of a small machine to what is measured."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("prepared.lua")
NUMBER = "@" * 10
"""Stands in a body for a number that no other post has."""

LONGEST_ANSWER_S = 30


@dataclass(frozen=True, slots=True)
class Load:
    """What was answered, all with a status of success."""

    posts: int
    seconds: float

    @property
    def rate(self) -> float:
        """Posts per second."""
        return self.posts / self.seconds


def require() -> None:
    """End the program where there is no ``wrk``."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is not on the PATH, and it makes the load: sudo apt-get install wrk")


def post(url: str, bodies: Sequence[bytes], seconds: int, connections: int) -> Load:
    """Post the bodies in turn over kept-alive connections, each as soon as the last is answered.

    Raises:
        RuntimeError: a post was refused, failed or not answered.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\n".join(bodies) + b"\n")
        file.flush()
        limits = ["-t1", f"-c{connections}", f"-d{seconds}s", f"--timeout={LONGEST_ANSWER_S}s"]
        command = ["wrk", *limits, "-s", str(SCRIPT), url, "--", file.name]
        printed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    if fault := re.search(r"Non-2xx.*|Socket errors.*", printed):
        raise RuntimeError(f"{url}: {fault[0].strip()}")
    found = re.search(r"(\d+) requests in ([\d.]+)(m?)s", printed)
    if found is None or not int(found[1]):
        raise RuntimeError(f"{url}: nothing was answered: {printed}")
    return Load(int(found[1]), float(found[2]) / (1000 if found[3] else 1))
