"""What a user of Redis may not do, found without doing it.

In a transaction the server checks every command when it is queued: that it exists, that it has as many arguments as it
takes, and that the user may use it. The connection is closed before the transaction is carried out, so that nothing is
written. How many arguments a command takes is not asked: each is queued with none, one and so on.
"""

from collections.abc import Iterable
from typing import Any

from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

from reward_gateway.local.valkey import COMMANDS
from reward_gateway.redis_servers.address import RedisAddress

STATE_KEY, CACHE_KEY = "reward_gateway:{state}:doctor", "rgw1:doctor"
CACHE_COMMANDS = ("ping", "get", "mget", "set")

MOST_ARGUMENTS = 6
NOT_QUEUED = frozenset({"multi", "exec"})
"""These end or begin a transaction at once."""


def list_needed(address: RedisAddress, replicas: int) -> list[str]:
    """The commands that the gateway needs of a store of state.

    Args:
        replicas: how many have to confirm changes.
    """
    spared = {"hello", "client|setinfo", "waitaof"}  # the gateway does without them
    spared |= set() if address.kind == "sentinel" else {"role"}
    spared |= set() if address.kind == "cluster" else {"cluster|slots"}
    spared |= set() if replicas else {"wait"}
    spared |= set() if address.kind != "cluster" else {"select"}
    return [command for command in COMMANDS if command not in spared]


def find_forbidden(client: Redis, commands: Iterable[str], key: str) -> list[str]:
    """The commands, or ``keys``, that the client's user may not use.

    Args:
        key: stands for every argument, and for the keys that the user has to have.

    Raises:
        redis.exceptions.RedisError: the server does not answer.
    """
    connection: Any = client.connection_pool.get_connection()  # which has no types
    try:
        connection.send_command("MULTI", check_health=False)
        try:
            connection.read_response()
        except NoPermissionError:
            return ["multi"]  # the others cannot be tried without carrying them out
        forbidden: dict[str, None] = {}
        for command in commands:
            if command in NOT_QUEUED:
                continue
            tried = [(*command.split("|"), *[key] * number) for number in range(MOST_ARGUMENTS + 1)]
            connection.send_packed_command(connection.pack_commands(tried), check_health=False)
            for _ in tried:
                try:
                    connection.read_response()
                except NoPermissionError as error:
                    forbidden[command if " to run " in str(error) else "keys"] = None
                except ResponseError:
                    pass  # not so many arguments, or not in a transaction
        return list(forbidden)
    finally:
        connection.disconnect()
        client.connection_pool.release(connection)
