"""The cache of scores and the store of state."""

from collections.abc import Iterator

from reward_gateway.counted import count_of
from reward_gateway.local import valkey
from reward_gateway.local.errors import StackError
from reward_gateway.local.sockets import socket_folder
from reward_gateway.redis_servers.address import RedisAddress

from ..check import Finding, Subject, fault, machine_check, ok, warning
from ..redis_rights import CACHE_COMMANDS, CACHE_KEY, STATE_KEY, list_needed
from ..redis_server import Server, Unanswered, look_at_server


@machine_check("cache")
def check_cache(subject: Subject) -> Iterator[Finding]:
    """The server that caches raw scores."""
    address = subject.settings.redis_address
    if address is None:
        yield from _check_embedded()
        return
    try:
        server = look_at_server(address, subject.server_s, CACHE_COMMANDS, CACHE_KEY)
    except Unanswered as error:
        yield fault(f"{address}: {error}, and every score is computed anew: correct --redis-url")
        return
    if server.forbidden:
        yield _tell_forbidden(address, server)
    elif server.maximum and server.policy == "noeviction" and address != subject.settings.state_address:
        yield warning(
            f"{_name(address, server)} refuses new scores when its {server.maximum >> 20} MiB are full: set "
            "maxmemory-policy volatile-lru"
        )
    else:
        yield ok(f"{_name(address, server)} answers")


@machine_check("state")
def check_state(subject: Subject) -> Iterator[Finding]:
    """The server that keeps state, which it may neither evict nor forget."""
    address = subject.settings.state_address
    if address is None:
        yield from _check_embedded()
        return
    replicas = subject.settings.state_replicas
    try:
        server = look_at_server(address, subject.server_s, list_needed(address, replicas), STATE_KEY)
    except Unanswered as error:
        yield fault(f"{address}: {error}, and recipes that keep state do not answer: correct --state-redis-url")
        return
    if server.forbidden:
        yield _tell_forbidden(address, server)
        return
    name, sound = _name(address, server), True
    if not server.told:
        sound = False
        yield warning(
            f"{name} answers, but does not say whether it evicts (INFO is refused): its maxmemory-policy must be "
            "noeviction"
        )
    elif server.maximum and server.policy != "noeviction":
        sound = False
        yield fault(
            f"{name} evicts state when its {server.maximum >> 20} MiB are full ({server.policy}): set maxmemory-policy "
            "noeviction, or name another server with --state-redis-url"
        )
    if server.told and not server.kept:
        sound = False
        yield warning(f"{name} writes nothing to disk, so that its restart loses all state: set appendonly yes")
    if server.maximum and server.used > 0.9 * server.maximum:
        sound = False
        yield warning(f"{name} is {server.used / server.maximum:.0%} full; full, it refuses changes: raise maxmemory")
    if server.told and server.replicas < replicas:
        sound = False
        yield fault(
            f"{name} has {count_of(server.replicas, 'replica')}, and state_replicas waits for {replicas}: every change "
            "of state would be refused; add replicas, or lower --state-replicas"
        )
    elif address.kind != "single" and not replicas:
        sound = False
        yield warning(
            f"{name} may be replaced by a replica that lacks the last changes, and then refuses requests with state "
            "until it is accepted: set --state-replicas 1, and min-replicas-to-write 1 on the servers"
        )
    if sound:
        yield ok(f"{name} answers and does not evict")


def _tell_forbidden(address: RedisAddress, server: Server) -> Finding:
    if "keys" in server.forbidden:
        return fault(
            f"{_name(address, server)} refuses the gateway's keys to its user: add ~reward_gateway:* ~*rgw1* "
            "&reward_gateway:* to the user's rules (ACL SETUSER)"
        )
    rules = " ".join(f"+{command}" for command in server.forbidden)
    return fault(f"{_name(address, server)} refuses commands to the gateway's user: add {rules} (ACL SETUSER)")


def _name(address: RedisAddress, server: Server) -> str:
    return f"{address}{f' ({server.version})' if server.version else ''}"


def _check_embedded() -> Iterator[Finding]:
    try:
        binary = valkey.find_server()
        with socket_folder():
            pass
    except StackError as error:
        yield fault(str(error))
    else:
        yield ok(f"the embedded one can be started ({binary.name})")
