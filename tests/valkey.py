"""A real Valkey that may be killed, frozen and started again at its address."""

import signal
import subprocess
from pathlib import Path

import redis
from reward_gateway.local.ports import free_port
from reward_gateway.local.valkey import find_server


class Valkey:
    """A server of our own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        argv = [str(find_server()), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *options]
        self.process = subprocess.Popen(argv, cwd=self.folder, stdout=subprocess.DEVNULL)
        with self.client() as client:
            client.ping()

    def client(self) -> redis.Redis:
        retry = redis.retry.Retry(redis.backoff.ConstantBackoff(0.02), 5000)
        return redis.Redis.from_url(self.url, retry=retry, retry_on_error=[redis.exceptions.ConnectionError])

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
