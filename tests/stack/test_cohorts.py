"""Trainers send a prompt's samples one by one, to whichever process answers: they are compared all the same."""

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.conftest import start_stack, stop_stack

pytestmark = [pytest.mark.stack, pytest.mark.anyio]

RECIPE = """
rewards:
  compared:
    description: The caller's number, centred among the eight samples of its prompt.
    components: {mine: {score: given, inputs: {value: {feature: mine}}}}
    group: {normalize: mean, cohort: {size: 8, timeout_s: 110}}
"""


async def test_one_sample_requests_are_centred_over_two_gateway_processes(tmp_path: Path) -> None:
    rewards = tmp_path / "rewards.yaml"
    rewards.write_text(RECIPE)
    flags = ("--workers", "2", "--rewards-file", str(rewards), "--models", "text_preference")
    stack = await asyncio.to_thread(start_stack, tmp_path / "serve.log", *flags)
    try:

        async def score(prompt: str, mine: float) -> float:
            # A connection of its own, so that the kernel gives it to either process.
            async with httpx.AsyncClient(timeout=120) as client:
                sample = {"prompt": prompt, "response": "x", "features": {"mine": mine}}
                answer = await client.post(f"{stack.http}/v1/score", json={"samples": [sample]})
                reward: float = answer.json()["results"][0]["reward"]
                return reward

        prompts = ("first", "second", "third")
        asks = [score(prompt, k + 10.0 * p) for k in range(8) for p, prompt in enumerate(prompts)]
        rewards_got = await asyncio.gather(*asks)
        assert rewards_got == pytest.approx([k - 3.5 for k in range(8) for _ in prompts])
    finally:
        assert await asyncio.to_thread(stop_stack, stack) == 0
