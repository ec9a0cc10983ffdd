"""Requests that wait for what others do: they take no place among those that are worked on."""

from starlette.types import Scope

_PATHS = ("/v1/jobs/", "/v1/runs/")


def only_waits(scope: Scope) -> bool:
    """Whether a request reads what jobs have answered, as soon as there is something."""
    return bool(scope["method"] == "GET" and scope["path"].startswith(_PATHS))
