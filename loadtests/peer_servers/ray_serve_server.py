"""Ray Serve: a proxy and one replica, without the access log, on a Ray of its own."""

import argparse
from typing import Any

import ray
from lengths import lengths
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=1, max_ongoing_requests=256, logging_config={"enable_access_log": False})
class Lengths:
    async def __call__(self, request: Request) -> dict[str, Any]:
        return {"rewards": lengths(await request.json())}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    ray.init(num_cpus=2, include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port}, logging_config={"enable_access_log": False})
    serve.run(Lengths.bind(), blocking=True)  # type: ignore[attr-defined]
