"""Jobs under faults: workers are killed, the store starts again, clients vanish. Every sample is answered, once."""

import asyncio
import os
import random
import signal
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.chaos.conftest import GiveVerdict
from tests.chaos.stacks import WITHOUT_TRITON, ChaosStack, Launch, wait_until
from tests.chaos.verdicts import at_least, at_most, exactly

pytestmark = [pytest.mark.stack, pytest.mark.anyio]

JOBS = 200
SAMPLES = 40
RUN = "chaos-jobs"
REWARDS = ("rule", "rule", "counted")
KILL_EVERY_S = 2.0
KILLS = 8
"""After more, `serve` waits longer each time before it starts a worker again."""
LONGEST_S = 180.0


@pytest.fixture(scope="module")
def stack(launch: Launch) -> ChaosStack:
    """Two workers on an embedded store of state."""
    return launch("--workers", "2", *WITHOUT_TRITON)


def make_job(number: int) -> dict[str, Any]:
    """A job whose right scores follow from its number."""
    samples = [
        {"prompt": f"p{number}", "response": " ".join(["w"] * (1 + k % 9)), "features": {"mine": float(k % 7)}}
        for k in range(SAMPLES)
    ]
    return {"reward": REWARDS[number % len(REWARDS)], "samples": samples}


def expect_rule(index: int) -> float:
    return -float(1 + index % 9)


class Trainer:
    """Submits jobs, vanishes and asks again, and takes the results of its run.

    Attributes:
        submitted: job -> its number.
        received: how often each (job, index) came.
        after_ack: results that came again after they were acknowledged.
        wrong: results with another score than the right one.
    """

    def __init__(self, stack: ChaosStack) -> None:
        self._stack = stack
        self.submitted: dict[str, int] = {}
        self.received: Counter[tuple[str, int]] = Counter()
        self.acknowledged: set[tuple[str, int]] = set()
        self.after_ack = self.wrong = self.invalid = 0

    async def submit_all(self) -> None:
        draw = random.Random(1)
        async with httpx.AsyncClient(base_url=self._stack.http, headers={"X-Run": RUN}) as client:
            for number in range(JOBS):
                job = None
                while job is None:
                    seconds = draw.choice((0.002, 5.0, 5.0, 5.0))  # it gives up, perhaps before the answer
                    try:
                        answer = await client.post(
                            "/v1/jobs",
                            json=make_job(number),
                            timeout=seconds,
                            headers={"Idempotency-Key": f"job-{number}"},
                        )
                    except httpx.TransportError:
                        await asyncio.sleep(0.05)
                        continue
                    if answer.status_code == 202:
                        job = answer.json()["job"]
                    else:
                        assert answer.status_code in (429, 503), answer.text
                        await asyncio.sleep(0.2)
                self.submitted[job] = number
                await asyncio.sleep(0.05)

    async def consume(self) -> None:
        """Take results until there are as many as there will be."""
        async with httpx.AsyncClient(base_url=self._stack.http, timeout=15.0) as client:
            while len(self.acknowledged) < JOBS * SAMPLES:
                try:
                    params: dict[str, str | int] = {"wait_s": 2, "visibility_s": 5, "consumer": "c", "max": 256}
                    answer = await client.get(f"/v1/runs/{RUN}/results", params=params)
                    if answer.status_code != 200:
                        await asyncio.sleep(0.2)
                        continue
                    rows = answer.json()["results"]
                    self.note(rows)
                    receipts = sorted({row["receipt"] for row in rows})
                    acked = await client.post(f"/v1/runs/{RUN}/results:ack", json={"receipts": receipts})
                    if acked.status_code == 200:
                        self.acknowledged |= {(row["job"], row["index"]) for row in rows}
                except httpx.TransportError:
                    await asyncio.sleep(0.1)

    def note(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            place = row["job"], row["index"]
            self.after_ack += place in self.acknowledged
            self.received[place] += 1
            self.invalid += not row["valid"]
            number = self.submitted.get(row["job"])
            if number is not None and REWARDS[number % len(REWARDS)] == "rule" and row["valid"]:
                self.wrong += row["reward"] != expect_rule(row["index"])


async def kill_workers(stack: ChaosStack, kills: list[float]) -> None:
    draw = random.Random(2)
    for _ in range(KILLS):
        await asyncio.sleep(KILL_EVERY_S)
        workers = await asyncio.to_thread(stack.workers)
        if workers:
            os.kill(draw.choice(workers), signal.SIGKILL)
            kills.append(KILL_EVERY_S)


async def test_workers_are_killed_while_jobs_are_scored(stack: ChaosStack, verdict: GiveVerdict) -> None:
    await asyncio.to_thread(wait_until, lambda: len(stack.workers()) == 2)
    trainer, kills = Trainer(stack), list[float]()
    killing = asyncio.create_task(kill_workers(stack, kills))
    began = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(LONGEST_S):
            submitting, consuming = (asyncio.create_task(work()) for work in (trainer.submit_all, trainer.consume))
            await asyncio.sleep(4.0)
            os.kill(await asyncio.to_thread(stack.state), signal.SIGKILL)  # it starts again with its file
            await submitting
            await consuming
            killing.cancel()
    except TimeoutError:
        waiting = await asyncio.to_thread(stack.metric, "reward_gateway_jobs_waiting")
        got = len(trainer.acknowledged)
        pytest.fail(f"{got} of {JOBS * SAMPLES} samples, {len(trainer.submitted)} jobs submitted, {waiting} waiting")
    finally:
        killing.cancel()
    seconds = asyncio.get_running_loop().time() - began
    await asyncio.to_thread(wait_until, lambda: stack.readyz()["ready"])
    answer = await asyncio.to_thread(
        lambda: httpx.get(f"{stack.http}/v1/state/moments/chaos", headers={"X-Run": RUN}, timeout=30)
    )
    counted = sum(REWARDS[number % len(REWARDS)] == "counted" for number in range(JOBS)) * SAMPLES
    missing = [
        (job, index) for job in trainer.submitted for index in range(SAMPLES) if (job, index) not in trainer.received
    ]
    verdict("jobs submitted", len(trainer.submitted), exactly(JOBS), "")
    verdict("samples that were never delivered", len(missing), exactly(0), "")
    verdict("results that came again after they were acknowledged", trainer.after_ack, exactly(0), "")
    verdict("wrong scores", trainer.wrong, exactly(0), "")
    verdict("samples without a score", trainer.invalid, exactly(0), "")
    verdict("samples counted in state", answer.json()["value"]["count"], exactly(counted), "")
    verdict("workers killed", len(kills), at_least(3), "")
    verdict("until all was received", seconds, at_most(LONGEST_S), "s")
