"""What trainers trained on, and the same rewards asked for again by native requests, past the cache."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

TOLERANCE = 1e-5
"""Relative or absolute: trainers keep rewards in single precision."""


@dataclass(frozen=True)
class Trained:
    """A sample as the policy was asked and answered, and the reward that its trainer went on with; None: left out.

    Attributes:
        response: a text, or the messages that the trainer made of it.
        group: the samples that it is compared with; None: those of the same messages.
    """

    messages: list[dict[str, str]]
    response: str | list[dict[str, str]]
    reference: str | None
    reward: float | None
    group: str | None = None


@dataclass(frozen=True)
class Comparison:
    """A row of the table that is printed at the end."""

    trainer: str
    version: str
    recipe: str
    steps: int
    rewards: int
    left_out: int
    largest_difference: float


COMPARISONS: list[Comparison] = []


def close_to(numbers: Any) -> Any:
    """Equal to what a trainer keeps of them."""
    return pytest.approx(numbers, rel=TOLERANCE, abs=TOLERANCE)


def score_natively(url: str, recipe: str, samples: Sequence[Trained]) -> list[dict[str, Any]]:
    """``results`` of ``POST /v1/score``, each score computed anew."""
    body = {
        "reward": recipe,
        "options": {"cache": "off"},
        "samples": [
            {"prompt": sample.messages, "response": sample.response}
            | ({} if sample.reference is None else {"reference": sample.reference})
            | ({} if sample.group is None else {"group": sample.group})
            for sample in samples
        ],
    }
    answer = httpx.post(f"{url}/v1/score", json=body, timeout=120.0).raise_for_status().json()
    assert answer["usage"]["cache_hits"] == 0
    results: list[dict[str, Any]] = answer["results"]
    return results


def count_of_jobs(url: str) -> float:
    """How many samples the service has scored by jobs."""
    page = httpx.get(f"{url}/metrics", timeout=60.0).raise_for_status().text
    (count,) = re.findall(r"^reward_gateway_job_samples_scored_total (\S+)$", page, flags=re.MULTILINE)
    return float(count)


def compare(trainer: str, version: str, url: str, recipe: str, steps: int, samples: Sequence[Trained]) -> list[Any]:
    """Assert that every reward is the native one, or left out where the native one is invalid; the native results."""
    results = score_natively(url, recipe, samples)
    assert len(results) == len(samples)
    largest = 0.0
    for sample, result in zip(samples, results, strict=True):
        assert (sample.reward is not None) == result["valid"], (sample, result)
        if sample.reward is not None:
            native = result["reward"]
            assert math.isclose(sample.reward, native, rel_tol=TOLERANCE, abs_tol=TOLERANCE), (sample, result)
            largest = max(largest, abs(sample.reward - native))
    given = sum(sample.reward is not None for sample in samples)
    row = Comparison(trainer, version, recipe, steps, given, len(samples) - given, largest)
    COMPARISONS.append(row)
    return results
