"""What a store that refuses is said to be: what has to be changed, and nothing of what was written."""

import pytest
from redis.exceptions import AuthenticationError, ConnectionError, NoPermissionError, OutOfMemoryError, ReadOnlyError
from reward_gateway.state.redis_store import state_unavailable


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "is full"),
        (ReadOnlyError("You can't write against a read only replica."), "name the primary"),
        (
            AuthenticationError("invalid username-password pair or user is disabled."),
            "refuses the user or the password",
        ),
        (NoPermissionError("this user has no permissions to run 'evalsha'"), "a command of that user"),
        (ConnectionError("Error 111 connecting to host:6379."), "cannot be reached"),
    ],
)
def test_a_store_that_refuses_is_told_by_what_to_change(error: Exception, said: str) -> None:
    message = state_unavailable(error).message
    assert said in message
    assert "REWARD_GATEWAY_STATE_REDIS_URL" in message
    assert str(error) not in message
