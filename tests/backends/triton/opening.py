"""Opens Triton servers as the service does."""

import time
from collections.abc import Mapping
from typing import Any

from reward_gateway.backends.followed_name import Resolve, resolve_addresses
from reward_gateway.backends.triton.declared_models import DeclaredModel
from reward_gateway.backends.triton.model_queue import QueueLimits
from reward_gateway.backends.triton.servers import TritonServers
from reward_gateway.cache.breaker import Breaker
from reward_gateway.observer import UNOBSERVED, Observer


def open_tritons(
    *urls: str,
    info_ttl_s: float = 5.0,
    observer: Observer = UNOBSERVED,
    declared: Mapping[str, DeclaredModel] | None = None,
    failures: int = 3,
    resolve: Resolve = resolve_addresses,
    **limits: Any,
) -> TritonServers:
    """The servers at some addresses.

    Args:
        failures: after which a breaker opens.
        resolve: looks names up in place of the machine's resolver.
        limits: of :class:`QueueLimits`.
    """
    return TritonServers(
        urls,
        lambda changed: Breaker(failures, time.monotonic, changed=changed),
        limits=QueueLimits(**limits),
        info_ttl_s=info_ttl_s,
        observer=observer,
        resolve=resolve,
        declared=declared,
    )
