"""Agent-lightning: its rollout manager enqueues tasks, its controller runs an agent for each, which reports our reward.

What a rollout without a report counts for is what its trainer fills in.
"""

import asyncio
import json
import os
import socket
import sys
import threading
from importlib import resources
from pathlib import Path
from typing import Any

import uvicorn
from agentlightning.client import AgentLightningAsyncClient
from agentlightning.controller.local_reconciler import LocalReconciler
from agentlightning.server.app import create_app
from agentlightning.verl.agl_rollout_manager import AglRolloutManager
from omegaconf import OmegaConf
from reward_gateway.client.adapters.agent_lightning import report
from run import Call

PACKAGE = "agentlightning"
FILLED = OmegaConf.load(resources.files("agentlightning.verl") / "config.yaml").agentlightning.reward_fillna_value

os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *sys.path])  # of the agents' processes


class Agent:
    """One rollout, in a process of its own."""

    async def run(self) -> None:
        task = json.loads(os.environ["TASK"])
        await report(task, task["response"])


def score(call: Call) -> list[float | None]:
    bound = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    settings = OmegaConf.load(resources.files("agentlightning.config") / "server.yaml")
    server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="critical"))
    threading.Thread(target=server.run, args=([bound],), daemon=True).start()
    controller = threading.Thread(target=asyncio.run, args=(_control(url, server),), daemon=True)
    controller.start()
    manager = AglRolloutManager(
        agl_base_url=url,
        agl_key="",
        model="m",
        step=0,
        poll_interval_seconds=0.2,
        local_agent_class=f"{__name__}:{Agent.__name__}",
        local_env_map={"TASK": "input"},
    )
    columns = {name: call.column(name) for name in ("prompt", "response", "reference")}
    done = manager.enqueue_and_wait_until_completed(columns, is_train=True)
    server.should_exit = True
    controller.join()
    rewards = {rollout.sample_idx_in_step: rollout.final_reward for rollout in done}
    return [FILLED if rewards[place] is None else rewards[place] for place in range(len(call.samples))]


async def _control(url: str, server: uvicorn.Server) -> None:
    settings: Any = OmegaConf.load(resources.files("agentlightning.config") / "controller.yaml")
    settings.merge_with({"runner_type": "local", "agl_server": {"url": url}, "local_runner": {"poll_interval": 0.2}})
    async with AgentLightningAsyncClient(base_url=url) as api:
        controller = LocalReconciler(api, settings)
        running = asyncio.create_task(controller.run())
        while not server.should_exit:
            await asyncio.sleep(0.1)
        controller.stop()
        await running
