"""mosec: HTTP and batching in Rust, the model in a Python process. mosec itself reads ``--port``."""

from typing import Any

from lengths import lengths
from mosec import Server, Worker

LARGEST_BATCH = 64
LONGEST_WAIT_MS = 1


class Lengths(Worker):
    def forward(self, data: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"rewards": lengths(body)} for body in data]


if __name__ == "__main__":
    server = Server()
    server.append_worker(Lengths, num=1, max_batch_size=LARGEST_BATCH, max_wait_time=LONGEST_WAIT_MS)
    server.run()
