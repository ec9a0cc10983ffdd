"""How long /livez takes, asked every 5 ms, beside 30 s of the heaviest requests, one behind the other.

    python loadtests/bench_health.py               # bodies of 4, 16 and 60 MiB
    python loadtests/bench_health.py --mib 16 --seconds 60

The requests are the worst of ``tests/chaos`` to what scores by recipes (long texts, long lists, many lists, criteria,
tensors, documents to rank, more samples than are taken), filled up to the size, and samples for a model on Triton that
takes no time. They come from a process of their own. Bodies of 4 MiB are mostly decoded on the event loop, larger ones
in worker processes.
"""

import argparse
import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

import numpy as np
from bench_stack import ROOT, TRIVIAL, serving, write_model
from peer_stack import free_port
from rich.console import Console

sys.path.append(str(ROOT))

from tests.chaos.worst_requests import ENTRIES, Piece

POLL_S = 0.005
TARGET_MS = {4: 50, 16: 50, 60: 150}
RECIPES = f"""
default: rule
rewards:
  rule: {{components: {{words: {{score: length_penalty}}}}}}
  {TRIVIAL}: {{components: {{score: {{score: {TRIVIAL}}}}}}}
  counted:
    components:
      mine: {{score: given, inputs: {{value: {{feature: mine}}}}, transforms: [{{running_scale: {{stream: bench}}}}]}}
"""
OF_A_MODEL = {
    "samples for a model": (
        f"/v1/score?reward={TRIVIAL}",
        Piece('{"samples": [', f'{{"prompt": "a", "response": "{"word " * 200}"}}', "]}", 4096),
    )
}


@dataclass
class Polls:
    """What /livez took in milliseconds, by the request that was under way; ``beside`` is empty while there is none."""

    beside: str = ""
    times_ms: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, url: str, ended: Event) -> None:
        """Ask every 5 ms over one connection until the requests have ended."""
        connection = connect(url)
        while not ended.is_set():
            began, beside = time.perf_counter(), self.beside
            connection.request("GET", "/livez")
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"/livez answered {answer.status}")
            taken = time.perf_counter() - began
            if beside:
                self.times_ms.setdefault(beside, []).append(taken * 1e3)
            time.sleep(max(0.0, POLL_S - taken))


def send(url: str, mib: int, seconds: float) -> None:
    """Send each body in turn until the time is over; print the name of each before it, and its status behind it."""
    bodies = [(name, path, piece.fill(mib << 20)) for name, (path, piece) in {**ENTRIES, **OF_A_MODEL}.items()]
    connection, end = connect(url), time.monotonic() + seconds
    for name, path, body in cycle(bodies):
        if time.monotonic() > end:
            return
        print(name, flush=True)
        connection.request("POST", path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        print(answer.status, flush=True)
        if answer.will_close:
            connection.close()


def connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)


def measure(url: str, mib: int, seconds: float, console: Console) -> None:
    """Poll while another process sends, and print what was found."""
    command = [sys.executable, __file__, "--url", url, "--mib", str(mib), "--seconds", str(seconds)]
    polls, ended, statuses = Polls(), Event(), Counter[str]()
    polling = Thread(target=polls.ask, args=(url, ended))
    polling.start()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
        for line in map(str.strip, sender.stdout or ()):
            if line.isdigit():
                statuses[line] += 1
            else:
                polls.beside = line
    ended.set()
    polling.join()
    times_ms = [taken for beside in polls.times_ms.values() for taken in beside]
    worst, slowest = max((float(np.quantile(beside, 0.99)), name) for name, beside in polls.times_ms.items())
    target = f", target ≤ {TARGET_MS[mib]} ms" if mib in TARGET_MS else ""
    answered = ", ".join(f"{times} × {status}" for status, times in sorted(statuses.items()))
    console.print(
        f"bodies of {mib} MiB: /livez p50 {np.quantile(times_ms, 0.5):.1f}, [bold]p99 {np.quantile(times_ms, 0.99):.0f}"
        f" ms[/]{target}; beside {slowest} p99 {worst:.0f}; at most {max(times_ms):.0f} ms of {len(times_ms):,} polls; "
        f"{answered}; load {os.getloadavg()[0]:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, nargs="*", default=sorted(TARGET_MS), help="sizes of bodies")
    parser.add_argument("--seconds", type=float, default=30.0, help="for which requests are sent, per size")
    parser.add_argument("--url", help="only send, to this server")
    asked = parser.parse_args()
    if asked.url:
        send(asked.url, asked.mib[0], asked.seconds)
        return
    with tempfile.TemporaryDirectory(prefix="health-") as name:
        folder = Path(name)
        (folder / "rewards.yaml").write_text(RECIPES)
        write_model(folder / "repository", TRIVIAL)
        flags = {
            "rewards-file": folder / "rewards.yaml",
            "model-repository": folder / "repository",
            "models": TRIVIAL,
            "max-body-bytes": 64 << 20,
        }
        with serving(folder / "serve.log", free_port(), free_port(), flags) as bench:
            for mib in asked.mib:
                measure(bench.http, mib, asked.seconds, Console(width=200))


if __name__ == "__main__":
    main()
