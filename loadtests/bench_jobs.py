"""What a job costs beside ``POST /v1/score``: CPU of the gateway per sample, and the time until a job is accepted.

    python loadtests/bench_jobs.py                       # the trivial model and a rule, a minute
    python loadtests/bench_jobs.py --rounds 9 --batch 4096

Both ways score the same number of samples, each of them new, by a model whose cost is nearly nothing and by a rule, in
alternating rounds. The time to accept a job is told beside the time that decoding its body takes in this process.
"""

import argparse
import asyncio
import os
import random
import statistics
import time
from dataclasses import dataclass, field

import httpx
import msgspec
import orjson
from bench_stack import Bench, running
from reward_gateway.intake.request import ScoreRequest
from rich.console import Console
from rich.table import Table

WORDS = [f"{first}{second}" for first in ("sum", "half", "prime", "even", "so", "thus") for second in range(0, 990, 7)]


@dataclass
class Costs:
    """Figures of the rounds of one recipe.

    Attributes:
        score_us, job_us: CPU of the gateway per sample.
        accept_s, decode_s: from the post of a job to its answer, and of decoding its body.
    """

    score_us: list[float] = field(default_factory=list)
    job_us: list[float] = field(default_factory=list)
    accept_s: list[float] = field(default_factory=list)
    decode_s: list[float] = field(default_factory=list)


def make_body(reward: str, samples: int, chars: int, seed: str) -> bytes:
    """A body of samples that no other body has."""
    draw = random.Random(seed)
    texts = (" ".join(draw.choices(WORDS, k=chars // 6)) for _ in range(samples))
    rows = [{"prompt": f"Problem {seed}-{i}", "response": text} for i, text in enumerate(texts)]
    return orjson.dumps({"reward": reward, "samples": rows, "options": {"cache": "off"}})


async def score(client: httpx.AsyncClient, bodies: list[bytes]) -> None:
    """Post bodies one after the other."""
    for body in bodies:
        (await client.post("/v1/score", content=body)).raise_for_status()


async def run_job(client: httpx.AsyncClient, body: bytes) -> float:
    """Submit a job and read it to its end; returns the seconds until it was accepted."""
    began = time.perf_counter()
    answer = await client.post("/v1/jobs", content=body)
    accepted_s = time.perf_counter() - began
    job, cursor = answer.raise_for_status().json()["job"], ""
    while True:
        page = (await client.get(f"/v1/jobs/{job}", params={"wait_s": 20, "after": cursor})).raise_for_status().json()
        if page["status"] == "done":
            return accepted_s
        cursor = page["cursor"]


async def measure(bench: Bench, reward: str, samples: int, batch: int, chars: int, rounds: int) -> Costs:
    """Alternate both ways; the first round of each is thrown away."""
    costs = Costs()
    decode = msgspec.json.Decoder(ScoreRequest).decode
    async with httpx.AsyncClient(base_url=bench.http, timeout=120) as client:
        for turn in range(rounds + 1):
            begun = bench.cpu_seconds()
            parts = range(0, samples, batch)
            await score(client, [make_body(reward, batch, chars, f"score-{turn}-{part}") for part in parts])
            scored = bench.cpu_seconds()
            body = make_body(reward, samples, chars, f"job-{turn}")
            accepted_s = await run_job(client, body)
            done = bench.cpu_seconds()
            started = time.perf_counter()
            decode(body)
            if turn:
                costs.decode_s.append(time.perf_counter() - started)
                costs.accept_s.append(accepted_s)
                costs.score_us.append((scored - begun) / samples * 1e6)
                costs.job_us.append((done - scored) / samples * 1e6)
    return costs


def show(values: list[float], scale: float = 1.0) -> str:
    """A median between the least and the greatest."""
    return f"{statistics.median(values) * scale:.1f} ({min(values) * scale:.1f} to {max(values) * scale:.1f})"


def main() -> None:
    """Run both recipes, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=4096)
    parser.add_argument("--batch", type=int, default=256, help="samples per request of /v1/score, as a piece has")
    parser.add_argument("--chars", type=int, default=1000, help="of a response")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    table = Table("recipe", "µs of CPU per sample, score", "job", "ratio", "accepted in (ms)", "decoding takes (ms)")
    with running(more={"workers": 1}) as bench:
        for reward in ("trivial", "rule"):
            costs = asyncio.run(measure(bench, reward, asked.samples, asked.batch, asked.chars, asked.rounds))
            ratios = [job / scored for job, scored in zip(costs.job_us, costs.score_us, strict=True)]
            table.add_row(
                reward,
                show(costs.score_us),
                show(costs.job_us),
                show(ratios),
                show(costs.accept_s, 1e3),
                show(costs.decode_s, 1e3),
            )
    Console().print(table)
    each = f"{asked.batch} per request of /v1/score"
    print(f"{asked.samples} samples of {asked.chars} characters per round, {each}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
