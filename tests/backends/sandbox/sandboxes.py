"""Sandboxes that tests start, under all mechanisms of this machine or some of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from reward_gateway.backends.sandbox.lockdown import MECHANISMS
from reward_gateway.backends.sandbox.sandbox import Sandbox, SandboxUnavailable

SETS = {
    "all": MECHANISMS,
    "seccomp alone": ("seccomp",),
    "landlock and namespaces": ("privileges", "landlock", "namespaces"),
    "no namespaces": tuple(name for name in MECHANISMS if name != "namespaces"),
}


@asynccontextmanager
async def start_sandbox(mechanisms: Sequence[str]) -> AsyncIterator[Sandbox]:
    """A sandbox under these mechanisms; the tests are skipped where this kernel lacks one."""
    made = Sandbox(mechanisms, processes=2)
    try:
        await made.start()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    try:
        yield made
    finally:
        await made.close()
