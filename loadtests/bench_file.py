"""``reward-gateway score FILE --reward math`` on 20,000 answers, by a gateway of its own without models.

    python loadtests/bench_file.py                # about a minute on two idle cores; --samples 2000 to try it

The answers are those of the tests' cases, each in new words, with groups of 16 to a prompt; one in a thousand never
ends (a tower of powers, a factorial), and one in a thousand has a reference that cannot be read. Printed are the time
and the samples per second, the processor time of the gateway and its processes, the most memory that the gateway held,
how late health answers were, and how many rows are scored and how many have which error. No row may be missing.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).parents[1]
CASES = ROOT / "tests/operations/verifiable/cases.jsonl"
ENDLESS = ("9^{9^{9^{9}}}", "(10^{9})!", "2^{3^{4^{5}}}+x")
HOSTILE_EACH, UNREADABLE_EACH = 1_000, 1_000
GROUP = 16


def write_samples(path: Path, samples: int) -> None:
    chosen = random.Random(7)
    cases = [json.loads(line) for line in CASES.read_text().splitlines()]
    items = [case["item"] for case in cases if case["operation"] == "math_equivalence"]
    with path.open("w") as file:
        for i in range(samples):
            item = chosen.choice(items)
            row = {"prompt": f"problem {i // GROUP}", "response": f"Attempt {i}.\n\n{item['response']}"}
            row["reference"] = item["reference"]
            if i % HOSTILE_EACH == HOSTILE_EACH // 2:
                row |= {"response": f"\\boxed{{{chosen.choice(ENDLESS)}+{i}}}", "reference": f"y+{i}"}
            if i % UNREADABLE_EACH == UNREADABLE_EACH - 1:
                row["reference"] = "\\frac{1}{"
            file.write(json.dumps(row) + "\n")


@contextmanager
def gateway(port: int, more: dict[str, str] | None = None) -> Iterator[psutil.Process]:
    """A gateway without models: rules need none. ``more``: further settings."""
    settings = {
        "HTTP_PORT": str(port),
        "HTTP_HOST": "127.0.0.1",
        "GRPC_PORT": "0",
        "TRITON_URL": "127.0.0.1:9",
        "REDIS_URL": "",
        "MATH_PROCESSES": "2",
        **(more or {}),
    }
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("REWARD_GATEWAY_")},
        **{f"REWARD_GATEWAY_{name}": value for name, value in settings.items()},
        "PYTHONPATH": f"{ROOT / 'service'}{os.pathsep}{ROOT / 'models'}",
    }
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "reward_gateway.cli.worker"], env=environment, stdout=log, stderr=log
        )
        try:
            until = time.monotonic() + 120
            while not is_alive(port):
                if process.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    sys.exit(f"the gateway did not start:\n{log.read().decode()}")
                time.sleep(0.2)
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(timeout=60)


def is_alive(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/livez", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


class Watch(threading.Thread):
    """Asks for health ten times a second, and looks at the gateway's memory."""

    def __init__(self, port: int, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.latencies: list[float] = []
        self.most_bytes = 0
        self._port, self._process, self._done = port, process, threading.Event()

    def run(self) -> None:
        with httpx.Client(timeout=60) as client:
            while not self._done.wait(0.1):
                begun = time.perf_counter()
                client.get(f"http://127.0.0.1:{self._port}/livez").raise_for_status()
                self.latencies.append(time.perf_counter() - begun)
                self.most_bytes = max(self.most_bytes, self._process.memory_info().rss)

    def stop(self) -> str:
        self._done.set()
        self.join()
        late = self.latencies
        p99 = statistics.quantiles(late, n=100)[98] * 1e3
        return f"p50 {statistics.median(late) * 1e3:.1f}, p99 {p99:.1f}, at most {max(late) * 1e3:.0f} ms"


def cpu_seconds(process: psutil.Process) -> float:
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(spent.user + spent.system + spent.children_user + spent.children_system for spent in times)


def read_results(path: Path, samples: int) -> tuple[list[dict[str, Any]], Counter[str]]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    if len(rows) != samples:
        sys.exit(f"{len(rows):,} rows came back of {samples:,}")
    return rows, Counter("scored" if row["valid"] else row["error"].partition(":")[0] for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--port", type=int, default=18490)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, gateway(arguments.port) as process:
        file, out = Path(name) / "answers.jsonl", Path(name) / "scored.jsonl"
        write_samples(file, arguments.samples)
        watch = Watch(arguments.port, process)
        watch.start()
        begun, spent = time.perf_counter(), cpu_seconds(process)
        command = [sys.executable, "-m", "reward_gateway.cli.main", "score", file, "--reward", "math", "--out", out]
        ended = subprocess.run(
            [*map(str, command), "--url", f"http://127.0.0.1:{arguments.port}"],
            env={**os.environ, "PYTHONPATH": str(ROOT / "service")},
            check=False,
        )
        seconds = time.perf_counter() - begun
        print(f"exit {ended.returncode}; {arguments.samples:,} samples in {seconds:.0f} s", end=": ")
        print(f"{arguments.samples / seconds:,.0f}/s, {cpu_seconds(process) - spent:.0f} s of CPU in the gateway")
        print(f"health answered in {watch.stop()}; the gateway held {watch.most_bytes / 2**20:.0f} MiB at most")
        rows, counted = read_results(out, arguments.samples)
        print(", ".join(f"{kind}: {number:,}" for kind, number in counted.most_common()))
        print(f"mean reward {statistics.mean(row['reward'] for row in rows if row['valid']):.3f}")


if __name__ == "__main__":
    main()
