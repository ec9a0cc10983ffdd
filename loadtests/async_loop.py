"""A simulated trainer beside a slow judge: seconds of a step that it waits for rewards, and questions to the judge.

    python loadtests/async_loop.py                  # times a tenth of the real ones, a minute or two
    python loadtests/async_loop.py --scale 1        # as in the table of README.md

Each step has 64 prompts with 8 answers, 60 % of them wrong, and generating them takes a known time. The judge is a
server of this script that answers with a latency drawn from a log-normal distribution (median 2 s, p99 30 s). The
trainer scores a step before it goes on (synchronous), or submits it as a job and generates the next one meanwhile
(jobs), also by a recipe that asks the judge about right answers alone (conditions). The same latencies are drawn for
every way, and each has texts of its own, so that no answer of the judge is cached.
"""

import argparse
import asyncio
import json
import math
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from bench_stack import serving
from reward_gateway.client import RewardClient
from rich.console import Console
from rich.table import Table

PROMPTS, ANSWERS = 64, 8
RIGHT = 0.4
MEDIAN_S, P99_S = 2.0, 30.0
GENERATION_S = 40.0
SIGMA = math.log(P99_S / MEDIAN_S) / 2.326
JUDGE = """
judges:
  - {{name: slow, base_url: "http://127.0.0.1:{port}", model: judge, concurrency: 1024, timeout_s: 600}}
"""
REWARDS = """
rewards:
  all:
    components:
      correct: {score: math_equivalence}
      quality: {score: judge_rubric, params: {judge: slow}}
    combine: {weighted_sum: {weights: {correct: 1.0, quality: 0.5}}}
  conditional:
    components:
      correct: {score: math_equivalence}
      quality: {score: judge_rubric, params: {judge: slow}, when: {correct: {at_least: 1}}, otherwise: 0.0}
    combine: {weighted_sum: {weights: {correct: 1.0, quality: 0.5}}}
"""


@dataclass
class SlowJudge:
    """An OpenAI-compatible server that takes its time.

    Attributes:
        scale: of its latencies.
        asked: how often it was asked.
        longest_s: the longest latency since it was last reset.
    """

    scale: float
    asked: int = 0
    longest_s: float = 0.0
    draw: random.Random = field(default_factory=lambda: random.Random(7))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            return
        more = True
        while more:
            more = (await receive()).get("more_body", False)
        self.asked += 1
        seconds = MEDIAN_S * math.exp(self.draw.gauss(0.0, SIGMA)) * self.scale
        self.longest_s = max(self.longest_s, seconds)
        await asyncio.sleep(seconds)
        message = {"role": "assistant", "content": '{"quality": 7}'}
        answer = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "model": "judge"}
        body = json.dumps(answer).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})

    def reset(self, seed: int) -> None:
        """Begin to count and to draw anew."""
        self.asked, self.longest_s, self.draw = 0, 0.0, random.Random(seed)


@contextmanager
def judging(judge: SlowJudge) -> Iterator[int]:
    """Run the judge in a thread of its own; gives its port."""
    server = uvicorn.Server(uvicorn.Config(judge, port=0, log_level="warning", access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        port: int = server.servers[0].sockets[0].getsockname()[1]
        yield port
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)


def make_step(step: int, seed: int, way: str) -> list[dict[str, Any]]:
    """The samples of a step, none of which was ever scored. The same answers are right for every way."""
    draw = random.Random(f"{seed}-{step}")
    samples = []
    for prompt in range(PROMPTS):
        for answer in range(ANSWERS):
            right = draw.random() < RIGHT
            number = prompt if right else prompt + 1
            text = f"Attempt {way}-{seed}-{step}-{prompt}-{answer}: the answer is \\boxed{{{number}}}"
            samples.append({"prompt": f"What is {prompt} + 0?", "response": text, "reference": str(prompt)})
    return samples


@dataclass
class Run:
    """What a way of scoring cost.

    Attributes:
        waits: seconds that the trainer waited for the rewards of each step.
    """

    waits: list[float]
    asked: int
    rewards: list[float]


def run_synchronous(client: RewardClient, judge: SlowJudge, steps: int, generation_s: float, seed: int) -> Run:
    """Score each step before the next one."""
    waits, rewards = [], []
    judge.reset(seed)
    for step in range(steps):
        time.sleep(generation_s)
        began = time.perf_counter()
        scores = client.score_samples(make_step(step, seed, "score"), reward="all", timeout_s=900)
        waits.append(time.perf_counter() - began)
        rewards += [float(reward or 0) for reward in scores.rewards]
    return Run(waits, judge.asked, rewards)


def run_jobs(reward: str, client: RewardClient, judge: SlowJudge, steps: int, generation_s: float, seed: int) -> Run:
    """Submit each step, and take its rewards once the next one is generated."""
    waits, rewards = [], []
    judge.reset(seed)
    job = client.submit_samples(make_step(0, seed, reward), reward=reward)
    for step in range(1, steps + 1):
        time.sleep(generation_s)
        began = time.perf_counter()
        rewards += [float(value or 0) for value in job.result(900).rewards]
        waits.append(time.perf_counter() - began)
        if step < steps:
            job = client.submit_samples(make_step(step, seed, reward), reward=reward)
    return Run(waits, judge.asked, rewards)


def main() -> None:
    """Run the ways in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.1, help="of all times")
    parser.add_argument("--steps", type=int, default=4, help="of a round")
    parser.add_argument("--rounds", type=int, default=2, help="of all ways in turn")
    asked = parser.parse_args()
    generation_s = GENERATION_S * asked.scale
    ways: dict[str, Callable[..., Run]] = {
        "synchronous": run_synchronous,
        "jobs": partial(run_jobs, "all"),
        "jobs with conditions": partial(run_jobs, "conditional"),
    }
    found: dict[str, list[Run]] = {name: [] for name in ways}
    judge = SlowJudge(asked.scale)
    with tempfile.TemporaryDirectory() as name, judging(judge) as port:
        folder = Path(name)
        (folder / "rewards.yaml").write_text(REWARDS)
        (folder / "judges.yaml").write_text(JUDGE.format(port=port))
        flags = {
            "rewards-file": folder / "rewards.yaml",
            "judges-file": folder / "judges.yaml",
            "triton-url": "127.0.0.1:1",
            "default-deadline-s": 900,
            "max-deadline-s": 900,
        }
        with serving(folder / "log", 18482, 18483, flags) as bench, RewardClient(bench.http) as client:
            for turn in range(asked.rounds):
                for way, run in ways.items():
                    found[way].append(run(client, judge, asked.steps, generation_s, turn))
    table = Table("way", "seconds waited per step (least to most)", "of synchronous", "questions to the judge per step")
    slowest = statistics.median(wait for run in found["synchronous"] for wait in run.waits)
    for way, runs in found.items():
        waits = [wait for run in runs for wait in run.waits]
        median = statistics.median(waits)
        questions = sum(run.asked for run in runs) / (asked.rounds * asked.steps)
        spread = f"{median:.1f} ({min(waits):.1f} to {max(waits):.1f})"
        table.add_row(way, spread, f"{median / slowest:.2f}", f"{questions:.0f}")
    Console().print(table)
    same = all(a.rewards == b.rewards for a, b in zip(found["synchronous"], found["jobs"], strict=True))
    samples, load = PROMPTS * ANSWERS, os.getloadavg()[0]
    print(f"{samples} samples and {generation_s:g} s of generation per step; load {load:.1f}")
    print(f"rewards of jobs equal those of scoring: {same}")


if __name__ == "__main__":
    main()
