"""A real Valkey that may be killed, frozen and started again at its address."""

import signal
import subprocess
from pathlib import Path

import redis
from reward_gateway.local.valkey import access_rules, find_server

from tests.ports import free_port


class Valkey:
    """A server of our own.

    Who connects to ``url`` may use what the embedded servers allow (``reward_gateway.local.valkey.COMMANDS``) and empty
    it, so that a command which the code begins to use is missed here first; ``client()`` may use every command.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.admin_url = f"redis://tests:any@127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        rules = self.folder / "users.acl"
        rules.write_text(f"{access_rules().rstrip()} +flushdb\nuser tests on nopass ~* &* +@all\n")
        argv = [str(find_server()), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        argv += ["--aclfile", str(rules.resolve()), *options]
        self.process = subprocess.Popen(argv, cwd=self.folder, stdout=subprocess.DEVNULL)
        with self.client() as client:
            client.ping()

    def client(self) -> redis.Redis:
        retry = redis.retry.Retry(redis.backoff.ConstantBackoff(0.02), 5000)
        again = [redis.exceptions.ConnectionError]
        return redis.Redis.from_url(self.admin_url, retry=retry, retry_on_error=again, socket_timeout=60.0)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def freeze(self) -> None:
        """Accepts connections and answers nothing, until :meth:`thaw`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
