"""A real Valkey for what gateway processes share."""

import pytest

from tests.valkey import Valkey


@pytest.fixture
def valkey(valkey_process: Valkey) -> Valkey:
    """The session's server, emptied."""
    with valkey_process.client() as client:
        client.flushall()
    return valkey_process
