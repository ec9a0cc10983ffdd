"""Load as trainers make it: bursts of one-sample requests, and large batches.

    locust -f loadtests/locustfile.py --host http://127.0.0.1:8080 --headless -u 64 -r 32 -t 60s

``REWARD`` names the recipe (the file's default if unset), ``CACHED`` the share of samples that were sent before.
A result that is not valid counts as a failure, as does any status but 200; 503 is counted apart, since it is
the service's right to ask for patience.
"""

import os
import random
from typing import Any

from locust import FastHttpUser, between, constant_throughput, task

REWARD = os.environ.get("REWARD")
CACHED = float(os.environ.get("CACHED", "0.5"))
WORDS = "seven wizards boil an egg in deep blue water while the quick brown fox jumps over it".split()  # noqa: SIM905
KNOWN = [f"question {i}" for i in range(256)]


def sample(rng: random.Random) -> dict[str, str]:
    """One sample; a share of them are ones that everybody sends."""
    if rng.random() < CACHED:
        prompt = rng.choice(KNOWN)
        return {"prompt": prompt, "response": f"the answer to {prompt}"}
    return {"prompt": rng.choice(KNOWN), "response": " ".join(rng.choices(WORDS, k=rng.randint(5, 60)))}


class Trainer(FastHttpUser):
    """What all trainers have in common."""

    abstract = True

    def on_start(self) -> None:
        self.rng = random.Random()

    def score(self, size: int, name: str) -> None:
        """Post a request of some size and look at every result."""
        body: dict[str, Any] = {"samples": [sample(self.rng) for _ in range(size)]}
        if REWARD:
            body["reward"] = REWARD
        with self.client.post("/v1/score", json=body, name=name, catch_response=True) as answer:
            if answer.status_code == 503:
                answer.failure("asked to come back later")
            elif answer.status_code != 200:
                answer.failure(f"status {answer.status_code}")
            elif not all(result["valid"] for result in answer.json()["results"]):
                answer.failure("a sample was not scored")


class OneByOne(Trainer):
    """OpenRLHF, slime, verl, NeMo-Gym: a request a sample, in bursts as rollouts end."""

    weight = 8
    wait_time = between(0.0, 0.2)

    @task
    def burst(self) -> None:
        for _ in range(self.rng.randint(1, 16)):
            self.score(1, "one sample")


class WholeBatch(Trainer):
    """TRL, ms-swift, LLaMA-Factory: a device batch at a time."""

    weight = 1
    wait_time = constant_throughput(0.5)

    @task
    def batch(self) -> None:
        self.score(256, "256 samples")
