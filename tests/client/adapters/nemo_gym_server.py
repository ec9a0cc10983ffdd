"""NeMo-Gym's resources server of ours, over stand-ins of what it imports of NeMo-Gym."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
from pydantic import BaseModel
from reward_gateway.client.adapters import nemo_gym

from .conftest import fresh

SERVER = Path(nemo_gym.__file__).with_name("resources_servers") / "reward_gateway"


class Row(BaseModel):
    """NeMo-Gym's request of ``/verify``."""

    responses_create_params: dict[str, Any]
    response: dict[str, Any]


class Verified(Row):
    """NeMo-Gym's answer."""

    reward: float


class Answer:
    """An answer of aiohttp's."""

    def __init__(self, answer: httpx.Response) -> None:
        self.status, self.answer = answer.status_code, answer

    async def read(self) -> bytes:
        return self.answer.content


async def send(method: str, url: str, **arguments: Any) -> Answer:
    """NeMo-Gym's own request."""
    async with httpx.AsyncClient(timeout=60) as client:
        return Answer(await client.request(method, url, **arguments))


async def read_json(answer: Answer) -> Any:
    """NeMo-Gym's own reading of an answer."""
    return answer.answer.json()


class Server:
    """NeMo-Gym's base of resources servers."""

    def __init__(self, config: Any) -> None:
        self.config = config


def load_server(installed: Callable[..., ModuleType]) -> Any:
    """The file as NeMo-Gym runs it."""
    installed(
        "nemo_gym.base_resources_server",
        BaseResourcesServerConfig=BaseModel,
        BaseVerifyRequest=Row,
        BaseVerifyResponse=Verified,
        SimpleResourcesServer=Server,
    )
    installed("nemo_gym.server_utils", request=send, get_response_json=read_json)
    return fresh(SERVER / "app.py")


def row_of(app: Any, text: str, prompt: str = "p", **fields: Any) -> Any:
    """A row of the dataset with the policy's response."""
    content = [{"type": "output_text", "text": text, "annotations": []}]
    output = [{"type": "message", "role": "assistant", "content": content}]
    return app.VerifyRequest(
        responses_create_params={"input": [{"role": "user", "content": prompt}]}, response={"output": output}, **fields
    )
