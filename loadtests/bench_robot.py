"""Robots in a control loop: each sends its first frame and its current one, and waits for the progress.

    python loadtests/bench_robot.py                     # starts its own stack, about two minutes

Every frame is new to the service, but for the first of an episode. Beside it the model alone, in this process, on the
same frames: the difference is what HTTP, the gateway and Triton cost a control step.
"""

import argparse
import base64
import io
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgpack
import numpy as np
from bench_stack import serving
from PIL import Image
from reward_models.evaluate.robot import load_sample
from reward_models.repository import REPOSITORY
from reward_models.repository import card as cards
from reward_models.runtime.instance import Instance
from reward_models.runtime.progress import ProgressScorer
from reward_models.runtime.session import Device
from reward_models.train.robot_tasks import INSTRUCTIONS

NAME = "robot_progress"
STEPS = 60
"""Frames of an episode."""

Step = Callable[[str, bytes, bytes], float]
"""Instruction, first frame, current frame -> progress."""


def frames(robot: int) -> Iterator[bytes]:
    """An episode that no one has seen: frames of the sample with noise of their own, 224 pixels, as JPEG."""
    episode = load_sample()[robot % len(load_sample())]
    dice = np.random.default_rng(robot)
    seen = [np.asarray(Image.open(io.BytesIO(frame)), np.int16) for frame in episode["frames"]]
    for step in range(STEPS):
        noisy = seen[step * len(seen) // STEPS] + dice.integers(-3, 4, seen[0].shape, np.int16)
        buffer = io.BytesIO()
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
        yield buffer.getvalue()


def run(step: Step, task: str, made: list[bytes], waits: list[float]) -> None:
    """One episode; how long each answer took, in ms."""
    for frame in made:
        began = time.perf_counter()
        progress = step(task, made[0], frame)
        waits.append((time.perf_counter() - began) * 1e3)
        assert 0.0 <= progress <= 1.0


def bare() -> Step:
    """The model alone."""
    card = cards.read_card(REPOSITORY / NAME).content
    folder = REPOSITORY / NAME / cards.VERSION_FOLDER
    scorer = ProgressScorer(Instance(folder, tuple(card["dimensions"]), tuple(card["flags"]), card, Device()))

    def step(task: str, first: bytes, current: bytes) -> float:
        row = {"prompt": [task.encode()], "frames": [msgpack.packb([first, current])]}
        return float(scorer.score(row, 1).scores[0, 0])

    return step


def served(client: httpx.Client) -> Step:
    """The model behind the gateway."""

    def step(task: str, first: bytes, current: bytes) -> float:
        shown = [base64.b64encode(frame).decode() for frame in (first, current)]
        body = {"reward": NAME, "samples": [{"prompt": task, "response": "", "frames": shown}]}
        answer = client.post("/v1/score", json=body)
        answer.raise_for_status()
        return float(answer.json()["results"][0]["reward"])

    return step


def measure(steps: list[Step], first_robot: int) -> dict[str, Any]:
    """As many robots at once as there are steps given; frames a second of all together, and waits of all."""
    waits: list[float] = []
    robots = []
    for robot, step in enumerate(steps, first_robot):
        task = INSTRUCTIONS[load_sample()[robot % len(load_sample())]["task"]][0]
        robots.append(threading.Thread(target=run, args=(step, task, list(frames(robot)), waits)))
    began = time.perf_counter()
    for thread in robots:
        thread.start()
    for thread in robots:
        thread.join()
    spent = time.perf_counter() - began
    p50, p99 = statistics.median(waits), float(np.quantile(waits, 0.99))
    rate = len(waits) / spent
    return {"robots": len(steps), "frames_per_s": round(rate, 1), "p50_ms": round(p50, 1), "p99_ms": round(p99, 1)}


def main() -> None:
    """Measure, and print a line of JSON each."""
    parser = argparse.ArgumentParser(description="Progress of robots in a control loop.")
    parser.add_argument("--robots", type=int, nargs="+", default=[1, 4, 16])
    arguments = parser.parse_args()
    alone = bare()
    measure([alone], 900)
    print(json.dumps({"what": "model alone", **measure([alone], 901)}), flush=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder) / "serve.log", 18482, 18483, {"models": NAME}) as bench,
    ):
        with httpx.Client(base_url=bench.http, timeout=60) as client:
            measure([served(client)], 902)
        seen = 0
        for count in arguments.robots:
            clients = [httpx.Client(base_url=bench.http, timeout=60) for _ in range(count)]
            print(json.dumps({"what": "served", **measure([served(client) for client in clients], seen)}), flush=True)
            seen += count
            for client in clients:
                client.close()


if __name__ == "__main__":
    main()
