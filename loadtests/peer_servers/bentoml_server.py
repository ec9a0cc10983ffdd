"""BentoML: a service of one worker, its input checked by pydantic, without the access log."""

import argparse

import bentoml
from lengths import lengths


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Lengths:
    @bentoml.api
    async def get_reward(self, samples: list[dict[str, str]]) -> dict[str, list[float]]:
        return {"rewards": lengths({"samples": samples})}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    bentoml.serve("bentoml_server:Lengths", host="127.0.0.1", port=port, blocking=True)
