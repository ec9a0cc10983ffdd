"""The real sandbox, where this machine has what it needs."""

from collections.abc import AsyncIterator

import pytest
from reward_gateway.backends.sandbox.sandbox import Sandbox, SandboxUnavailable


@pytest.fixture(scope="module")
async def sandbox(anyio_backend: str) -> AsyncIterator[Sandbox | None]:
    running = Sandbox()
    try:
        await running.start()
    except SandboxUnavailable:
        yield None
    else:
        yield running
    await running.close()
