"""What a trainer's environment has to carry."""

import subprocess
import sys

LIGHT = """
import importlib.abc, sys

class Forbid(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {forbidden}:
            raise ModuleNotFoundError(f"{{name}} is not installed here", name=name)

sys.meta_path.insert(0, Forbid())
from reward_gateway.client import AsyncRewardClient, RewardClient
RewardClient("http://127.0.0.1:1").close()
try:
    RewardClient("grpc://127.0.0.1:1")
except ImportError as error:
    print(error)
ours = {{".".join(name.split(".")[:2]) for name in sys.modules if name.startswith("reward_gateway")}}
ours = sorted(ours - {{"reward_gateway.client"}})
print(ours)
"""
FORBIDDEN = {
    "fastapi", "pydantic", "pydantic_settings", "redis", "tritonclient", "grpc", "google", "orjson", "uvicorn", "yaml",
    "prometheus_client", "structlog", "starlette", "rich", "typer",
}  # fmt: skip


def test_the_client_imports_without_the_servers_dependencies() -> None:
    code = LIGHT.format(forbidden=FORBIDDEN)
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert answer.returncode == 0, answer.stderr
    said, ours = answer.stdout.splitlines()
    assert "pip install 'reward-gateway[grpc]'" in said
    light = ("address", "errors", "extras", "sample")
    assert ours == str(["reward_gateway", *(f"reward_gateway.{name}" for name in light)])
