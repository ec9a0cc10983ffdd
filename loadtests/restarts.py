"""Restarts under load, as an upgrade makes them: what clients notice, and whether any sample is lost or counted twice.

    python loadtests/restarts.py                         # four clients, three restarts, about a minute

Clients score by a recipe with running statistics, each call with an idempotency key, which the client library sends on
its own. The gateway is stopped (SIGTERM) and started again at the same address while they do. The stores are Valkeys
that stay, as in a deployment. At the end the stream must have counted every sample once.
"""

import argparse
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

import httpx
from bench_memory import valkey
from bench_stack import serving
from reward_gateway.client import RewardClient

RECIPES = """
rewards:
  running: {components: {brevity: {score: length_penalty, transforms: [{running_scale: {stream: upgrade}}]}}}
default: running
"""


class Load:
    """Clients that score until they are told to stop."""

    def __init__(self, url: str, clients: int) -> None:
        self.took: list[float] = []
        self.failed: list[str] = []
        self.samples = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(url, n)) for n in range(clients)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, once what is under way is answered."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, url: str, client: int) -> None:
        with RewardClient(url, run="upgrade", timeout_s=120) as gateway:
            turn = 0
            while not self._stop.is_set():
                turn += 1
                began = time.perf_counter()
                try:
                    scores = gateway.score("p", [f"{client} {turn} {'word ' * (turn % 40)}{n}" for n in range(8)])
                    bad = int((~scores.valid).sum())
                except Exception as error:  # what a trainer would see
                    self.failed.append(repr(error))
                    continue
                with self._lock:
                    self.took.append(time.perf_counter() - began)
                    self.samples += 8
                    if bad:
                        self.failed.append(f"{bad} samples without a score")
                time.sleep(0.02)


def main() -> None:
    """Restart under load, and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--restarts", type=int, default=3)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        valkey(Path(name, "scores")),
        valkey(Path(name, "state")),
    ):
        folder = Path(name)
        (folder / "rewards.yaml").write_text(RECIPES)
        flags = {
            "rewards-file": folder / "rewards.yaml",
            "triton-url": "",
            "state-dir": folder / "run",
            "redis-url": f"unix://{folder}/scores",
            "state-redis-url": f"unix://{folder}/state",
        }
        url, away = "http://127.0.0.1:18680", list[float]()
        load = Load(url, asked.clients)
        for turn in range(asked.restarts + 1):
            began = time.perf_counter()
            with serving(folder / "serve.log", 18680, 18681, flags):
                if turn:
                    away.append(time.perf_counter() - began)
                else:
                    load.start()
                time.sleep(5)
                if turn == asked.restarts:
                    load.stop()
                    state = httpx.get(f"{url}/v1/state/moments/upgrade", headers={"X-Run": "upgrade"}).json()
    print(f"samples answered {load.samples:,}, counted {state['value']['count']:,.0f}, failures {load.failed[:3]}")
    print(f"latency p50 {statistics.median(load.took) * 1e3:.0f} ms, longest {max(load.took):.1f} s")
    print(f"seconds until ready again: {', '.join(f'{s:.1f}' for s in away)}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
