"""cache/connection.py: what went wrong with the store, in the words of the metric's label."""

import pytest
from redis import exceptions
from reward_gateway.cache.connection import classify_fault


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), "timeout"),
        (exceptions.TimeoutError(), "timeout"),
        (exceptions.AuthenticationError(), "auth"),
        (exceptions.BusyLoadingError(), "loading"),
        (exceptions.ConnectionError(), "connection"),
        (exceptions.InvalidResponse(), "connection"),
        (BrokenPipeError(), "connection"),
        (exceptions.OutOfMemoryError(), "full"),
        (exceptions.ReadOnlyError(), "read_only"),
        (exceptions.ResponseError(), "response"),
        (ValueError(), "other"),
    ],
)
def test_a_fault_has_one_kind(error: Exception, kind: str) -> None:
    assert classify_fault(error) == kind
