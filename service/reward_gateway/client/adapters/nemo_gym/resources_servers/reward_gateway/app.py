"""A resources server of NeMo-Gym whose rewards come from the gateway. NeMo-Gym runs this file."""

import asyncio
import os
from typing import Any, ClassVar
from urllib.parse import quote

from fastapi import HTTPException
from nemo_gym.base_resources_server import (
    BaseResourcesServerConfig,
    BaseVerifyRequest,
    BaseVerifyResponse,
    SimpleResourcesServer,
)
from nemo_gym.server_utils import get_response_json, request
from pydantic import ConfigDict


class RewardGatewayConfig(BaseResourcesServerConfig):  # type: ignore[misc]
    """Which recipe of which gateway; what is None comes from ``REWARD_GATEWAY_{URL,REWARD,RUN,API_KEY,TIMEOUT_S}``."""

    url: str | None = None
    reward: str | None = None
    run: str | None = None
    api_key: str | None = None
    timeout_s: float | None = None

    def seconds(self) -> float:
        """How long a row may take, waiting for a gateway that is away included; NeMo-Gym itself would wait for good."""
        return self.timeout_s or float(os.environ.get("REWARD_GATEWAY_TIMEOUT_S") or 120.0)

    def address(self) -> str:
        """Where rows are verified."""
        url = self.url or os.environ.get("REWARD_GATEWAY_URL") or "http://127.0.0.1:8080"
        run, reward = self.run or os.environ.get("REWARD_GATEWAY_RUN"), self.reward
        reward = reward or os.environ.get("REWARD_GATEWAY_REWARD")
        names = [f"/{place}/{quote(name, safe='')}" for place, name in (("run", run), ("r", reward)) if name]
        return f"{url.rstrip('/')}{''.join(names)}/nemo_gym/verify"

    def headers(self) -> dict[str, str]:
        """The key, if there is one."""
        key = self.api_key or os.environ.get("REWARD_GATEWAY_API_KEY")
        return {"Authorization": f"Bearer {key}"} if key else {}


class VerifyRequest(BaseVerifyRequest):  # type: ignore[misc]
    """A row of the dataset, with whatever fields it has, and the policy's response."""

    model_config = ConfigDict(extra="allow")


class VerifyResponse(BaseVerifyResponse):  # type: ignore[misc]
    """The row and the response as they were, with the reward and its components."""

    model_config = ConfigDict(extra="allow")


class RewardGatewayServer(SimpleResourcesServer):  # type: ignore[misc]
    """Passes rows on to the gateway, and its refusals back with their status."""

    config: RewardGatewayConfig
    ray_enabled: ClassVar[bool | None] = False

    async def verify(self, body: VerifyRequest) -> VerifyResponse:
        """The reward of one response. Raises HTTPException where there is none."""
        row: dict[str, Any] = body.model_dump(mode="json")
        asked = request("POST", self.config.address(), json=row, headers=self.config.headers())
        try:
            answer = await asyncio.wait_for(asked, self.config.seconds())
        except TimeoutError:
            raise HTTPException(503, f"the gateway did not answer within {self.config.seconds():g} s") from None
        if answer.status != 200:
            raise HTTPException(answer.status, (await answer.read()).decode(errors="replace"))
        scored = await get_response_json(answer)
        scores = {"reward": scored["reward"], "reward_components": scored["reward_components"]}
        return VerifyResponse(**{**row, **scores})


if __name__ == "__main__":
    RewardGatewayServer.run_webserver()
