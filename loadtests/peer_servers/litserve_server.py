"""LitServe: FastAPI in one process, the model in another."""

import argparse
from typing import Any

import litserve
from lengths import lengths


class Lengths(litserve.LitAPI):
    def setup(self, device: str) -> None: ...

    def predict(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"rewards": lengths(body)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    server = litserve.LitServer(Lengths(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=port, log_level="warning", access_log=False, generate_client_file=False)
