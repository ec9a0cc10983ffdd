"""Requests that wait for what others do: they take no place among those that are worked on."""

from starlette.types import Scope


def only_waits(scope: Scope) -> bool:
    """Whether a request reads what jobs have answered, as soon as there is something."""
    path: str = scope["path"]
    waits = path.startswith("/v1/jobs/") or (path.startswith("/v1/runs/") and path.endswith("/results"))
    return bool(scope["method"] == "GET" and waits)
