"""Sets of real Redis servers: a Cluster of six, and a master with two replicas that three Sentinels watch."""

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import redis
from redis.crc import key_slot
from reward_gateway.redis_servers.address import RedisAddress
from reward_gateway.settings import Settings

from tests.ports import free_port

PROGRAM = shutil.which("redis-server") or ""
NODE_TIMEOUT_MS = 2000
ADMIN, GATEWAY = ("admin", "for-tests-only"), ("gateway", "pass word/%")
"""Users of the access list and their passwords: one may do everything, the other what the gateway needs."""


STARTED: list["Server"] = []
"""All that were started, so that those of a set that did not come up are stopped as well."""


@dataclass
class Server:
    """One process."""

    port: int
    folder: Path
    command: list[str]
    options: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        STARTED.append(self)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, stdout=log, stderr=log)

    def ask(self, *command: str) -> Any:
        """The answer to a command, as redis-py makes it."""
        client: Any = redis.Redis("127.0.0.1", self.port, socket_timeout=2, **self.options)
        with client:
            return client.execute_command(*command)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def freeze(self) -> None:
        """Accepts connections and answers nothing, until :meth:`thaw`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Goes on, with all that it was sent meanwhile."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


@dataclass
class Servers:
    """A set of servers with its address, as the gateway is told it."""

    members: list[Server]
    settings: dict[str, str]
    find_master: Callable[[str], Server]
    """The server that has the keys of a hash tag. Raises LookupError while nobody has them."""
    watchers: list[Server] = field(default_factory=list)

    @property
    def address(self) -> RedisAddress:
        """As the gateway opens it."""
        given: dict[str, Any] = {f"redis_{name}": value for name, value in self.settings.items()}
        address = Settings(**given).redis_address
        assert address is not None
        return address

    def stop(self) -> None:
        for server in (*self.members, *self.watchers):
            server.kill()


def wait_until(happened: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(redis.exceptions.RedisError, OSError, LookupError):
            if happened():
                return
        assert time.monotonic() < end, f"{what}: not after {seconds:g} s"
        time.sleep(0.05)


def write_access_list(folder: Path, rules: str) -> Path:
    """The users of a server: nobody gets in without a password."""
    file = folder / "users.acl"
    file.write_text(
        f"user default off\nuser {ADMIN[0]} on >{ADMIN[1]} ~* &* +@all\n"
        f"user {GATEWAY[0]} on #{_hash(GATEWAY[1])} ~reward_gateway:* ~rgw1* &reward_gateway:* -@all {rules}\n"
    )
    return file


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def make_certificates(folder: Path) -> dict[str, Path]:
    """An authority, and a certificate for this machine that clients present as well."""
    ca, key, cert = folder / "ca.pem", folder / "key.pem", folder / "cert.pem"
    _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tests", "-keyout",
             folder / "ca.key", "-out", ca)  # fmt: skip
    _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", folder / "csr")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    _openssl("x509", "-req", "-in", folder / "csr", "-CA", ca, "-CAkey", folder / "ca.key", "-CAcreateserial", "-days",
             "2", "-extfile", folder / "names", "-out", cert)  # fmt: skip
    return {"ca": ca, "key": key, "certificate": cert}


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def start_single(folder: Path, rules: str) -> Server:
    """One server, which nobody follows."""
    port = free_port()
    access = write_access_list(folder, rules)
    command = [PROGRAM, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--aclfile", str(access)]
    server = Server(port, folder, command, {"username": ADMIN[0], "password": ADMIN[1]})
    server.start()
    wait_until(lambda: server.ask("PING"), "the server answers")
    return server


def start_cluster(folder: Path, rules: str, files: dict[str, Path] | None) -> Servers:
    """Three masters with a replica each; over TLS where there are certificates."""
    options: dict[str, Any] = {"username": ADMIN[0], "password": ADMIN[1]}
    if files is not None:
        options |= {"ssl": True, "ssl_ca_certs": str(files["ca"])}
        options |= {"ssl_certfile": str(files["certificate"]), "ssl_keyfile": str(files["key"])}
    members = []
    buses = []
    for number in range(6):
        port, home = free_port(), folder / f"node-{number}"
        buses.append(free_port())
        home.mkdir()
        access = write_access_list(home, rules)
        command = [
            *(PROGRAM, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--aclfile", str(access)),
            *("--masteruser", ADMIN[0], "--masterauth", ADMIN[1], "--min-replicas-to-write", "1"),
            *("--cluster-enabled", "yes", "--cluster-port", str(buses[-1])),
            *("--cluster-node-timeout", str(NODE_TIMEOUT_MS), "--cluster-require-full-coverage", "no"),
            *_port_options(port, files),
        ]
        members.append(Server(port, home, command, options))
        members[-1].start()
    for server in members:
        wait_until(lambda server=server: server.ask("PING"), "a node answers")  # type: ignore[misc]
    wait_until(lambda: _introduce(members, buses), "the nodes know each other")
    for number in range(3):
        first, last = 16384 * number // 3, 16384 * (number + 1) // 3 - 1
        members[number].ask("CLUSTER ADDSLOTSRANGE", str(first), str(last))
    ids = [server.ask("CLUSTER MYID").decode() for server in members]
    for number in range(3):
        replica = members[3 + number]
        wait_until(lambda replica=replica, name=ids[number]: replica.ask("CLUSTER REPLICATE", name), "a replica joins")  # type: ignore[misc]
    for server in members:
        wait_until(lambda server=server: server.ask("CLUSTER INFO")["cluster_state"] == "ok", "the Cluster is whole")  # type: ignore[misc]
    for server in members[3:]:
        wait_until(
            lambda server=server: server.ask("INFO", "replication")["master_link_status"] == "up",  # type: ignore[misc]
            "replicas follow",
        )

    def find_master(tag: str) -> Server:
        slot = key_slot(tag.encode())
        for living in (server for server in members if server.is_running):
            with contextlib.suppress(redis.exceptions.RedisError, OSError):  # one that is frozen
                for first, last, owner, *_ in _raw_slots(living):
                    if first <= slot <= last:
                        return next(server for server in members if server.port == owner[1])
        raise LookupError(f"nobody has the slot of {tag}")

    scheme = "rediss" if files else "redis"
    hosts = ",".join(f"127.0.0.1:{server.port}" for server in members[:2])
    settings = {"url": f"{scheme}+cluster://{hosts}", "username": GATEWAY[0], "password": GATEWAY[1]}
    if files is not None:
        settings |= {name: str(path) for name, path in files.items()}
    return Servers(members, settings, find_master)


def _introduce(members: list[Server], buses: list[int]) -> bool:
    """Have all nodes meet the first one; again for those whose handshake ran out of time."""
    for server, bus in zip(members[1:], buses[1:], strict=True):
        members[0].ask("CLUSTER MEET", "127.0.0.1", str(server.port), str(bus))
    time.sleep(1)
    return all(int(server.ask("CLUSTER INFO")["cluster_known_nodes"]) == len(members) for server in members)


def _raw_slots(server: Server) -> list[Any]:
    client: Any = redis.Redis("127.0.0.1", server.port, socket_timeout=2, **server.options)
    client.response_callbacks.clear()
    with client:
        found: list[Any] = client.execute_command("CLUSTER SLOTS")
        return found


def start_sentinels(folder: Path, rules: str) -> Servers:
    """A master with two replicas, and three Sentinels with a password of their own."""
    options: dict[str, Any] = {"username": ADMIN[0], "password": ADMIN[1]}
    members: list[Server] = []
    for number in range(3):
        port, home = free_port(), folder / f"server-{number}"
        home.mkdir()
        access = write_access_list(home, rules)
        command = [
            *(PROGRAM, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "yes"),
            *("--aclfile", str(access), "--masteruser", ADMIN[0], "--masterauth", ADMIN[1]),
            *("--min-replicas-to-write", "1", "--min-replicas-max-lag", "10", "--repl-diskless-sync-delay", "0"),
        ]
        if members:
            command += ["--replicaof", f"127.0.0.1 {members[0].port}"]
        members.append(Server(port, home, command, options))
        members[-1].start()
    for server in members[1:]:
        wait_until(
            lambda server=server: server.ask("INFO", "replication")["master_link_status"] == "up",  # type: ignore[misc]
            "replicas follow",
        )
    watchers = []
    for number in range(3):
        port, home = free_port(), folder / f"sentinel-{number}"
        home.mkdir()
        (home / "sentinel.conf").write_text(
            f"port {port}\nbind 127.0.0.1\nrequirepass watch\nsentinel sentinel-pass watch\n"
            f"sentinel monitor main 127.0.0.1 {members[0].port} 2\nsentinel auth-user main {ADMIN[0]}\n"
            f"sentinel auth-pass main {ADMIN[1]}\nsentinel down-after-milliseconds main {NODE_TIMEOUT_MS}\n"
            "sentinel failover-timeout main 10000\nsentinel parallel-syncs main 1\n"
        )
        command = [PROGRAM, str(home / "sentinel.conf"), "--sentinel"]
        watchers.append(Server(port, home, command, {"password": "watch"}))
        watchers[-1].start()
    for watcher in watchers:
        wait_until(lambda watcher=watcher: _count_known(watcher) == (2, 2), "the Sentinels know each other")  # type: ignore[misc]

    def find_master(tag: str) -> Server:
        for watcher in watchers:
            with contextlib.suppress(redis.exceptions.RedisError, OSError):
                _, port = watcher.ask("SENTINEL GET-MASTER-ADDR-BY-NAME", "main")
                return next(server for server in members if server.port == int(port))
        raise LookupError("no Sentinel answers")

    hosts = ",".join(f"127.0.0.1:{watcher.port}" for watcher in watchers)
    settings = {"url": f"redis+sentinel://{hosts}/main", "username": GATEWAY[0], "password": GATEWAY[1]}
    return Servers(members, settings | {"sentinel_password": "watch"}, find_master, watchers)


def _count_known(watcher: Server) -> tuple[int, int]:
    known = watcher.ask("SENTINEL MASTER", "main")
    known = known if isinstance(known, dict) else dict(zip(known[::2], known[1::2], strict=True))
    read = {str(key.decode() if isinstance(key, bytes) else key): value for key, value in known.items()}
    return int(read["num-slaves"]), int(read["num-other-sentinels"])


def _port_options(port: int, files: dict[str, Path] | None) -> list[str]:
    if files is None:
        return ["--port", str(port)]
    return [
        *("--port", "0", "--tls-port", str(port), "--tls-cluster", "yes", "--tls-replication", "yes"),
        *("--tls-ca-cert-file", str(files["ca"]), "--tls-cert-file", str(files["certificate"])),
        *("--tls-key-file", str(files["key"])),
    ]
