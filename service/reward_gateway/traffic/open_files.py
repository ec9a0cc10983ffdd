"""How many connections one process may hold within its limit of open files."""

import resource

from reward_gateway.settings import Settings

OWN_FILES = 256
"""Open files that are left for the process itself: stores, model servers, logs, judges, and health checks."""


def count_connections(settings: Settings) -> int:
    """Maximum connections of HTTP, and as many of gRPC; the limit of open files is raised as far as it may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard == resource.RLIM_INFINITY:
        return settings.max_connections
    return max(1, min(settings.max_connections, (hard - OWN_FILES) // 2))
