"""A rate is one for all gateways, before and after a failover; meanwhile each of two enforces half of it."""

import asyncio
import hashlib
import re
from pathlib import Path

import httpx
import pytest

from .conftest import Gateway
from .servers import Servers
from .test_failover import kill_master_after, make_sample

pytestmark = pytest.mark.anyio

RATE, KEY = 120, "for-tests-only"
FORGOTTEN = 40
"""Counted requests that a replica may lack when it takes over: some hundred milliseconds of them."""


async def test_a_rate_is_kept_through_a_failover(servers: Servers, tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    keys.write_text(f"keys: [{{name: trainer, sha256: {digest}, rights: [score, admin], rate: {RATE}/day}}]\n")
    keys.chmod(0o600)
    gateways = [Gateway(tmp_path, servers, api_keys_file=keys) for _ in range(2)]
    allowed: list[int] = []
    try:
        for gateway in gateways:
            gateway.wait_until_ready()
        await asyncio.sleep(6)  # each has counted the other: they announce themselves every five seconds
        async with httpx.AsyncClient(timeout=30, trust_env=False, headers={"Authorization": f"Bearer {KEY}"}) as client:

            async def ask(number: int) -> int:
                body = {"reward": "rule", "samples": [make_sample(number)]}
                return (await client.post(f"{gateways[number % 2].url}/v1/score", json=body)).status_code

            async def ask_until_refused() -> None:
                refused = number = 0
                while refused < 20:
                    status = await ask(number)
                    assert status in (200, 429)
                    allowed.extend([number] if status == 200 else [])
                    refused = refused + 1 if status == 429 else 0
                    number += 1
                    await asyncio.sleep(0.02)

            failover = asyncio.create_task(kill_master_after(servers, allowed, RATE // 3, tag="rates"))
            await ask_until_refused()
            await failover
            await asyncio.sleep(6)  # the shared windows are in use again
            await ask_until_refused()
            alone = [read_alone((await client.get(f"{gateway.url}/metrics")).text) for gateway in gateways]
            assert RATE <= len(allowed) <= RATE + sum(alone) + FORGOTTEN
            assert len(allowed) <= 2 * RATE
    finally:
        for gateway in gateways:
            gateway.stop()


def read_alone(metrics: str) -> float:
    """Requests that a gateway decided without the store."""
    found = re.search(r"^reward_gateway_rates_checked_alone_total (\S+)$", metrics, flags=re.MULTILINE)
    return float(found[1]) if found else 0.0
