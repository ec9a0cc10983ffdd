"""What both probes of NeMo-Gym share: its servers in one event loop, its collector of rollouts, its configuration."""

import asyncio
import importlib.util
import json
import os
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import uvicorn
import yaml
from fastapi import FastAPI
from nemo_gym.config_types import BaseServerConfig
from nemo_gym.global_config import GlobalConfigDictParser, GlobalConfigDictParserConfig
from nemo_gym.rollout_collection import RolloutCollectionHelper
from nemo_gym.server_utils import ServerClient
from omegaconf import OmegaConf
from responses_api_agents.simple_agent.app import SimpleAgent, SimpleAgentConfig
from reward_gateway.client.adapters import nemo_gym as ours
from run import Call

ROOT = Path(ours.__path__[0])
SERVER = ROOT / "resources_servers/reward_gateway"
WAIT_S = 10.0
"""NeMo-Gym asks a server that cannot be reached again and again, for good."""
RESOURCES = {"type": "resources_servers", "name": "reward_gateway"}
POLICY = {"type": "responses_api_models", "name": "policy_model"}
AGENT = {"type": "responses_api_agents", "name": "simple_agent"}

_loop = asyncio.new_event_loop()
"""Of every call: NeMo-Gym's HTTP client belongs to the first one that it is used in."""
_bound: dict[int, socket.socket] = {}
"""Sockets of servers that are yet to start, by port."""


def collect(*arguments: Any, **settings: Any) -> list[float | None]:
    """What :func:`_collect` collects."""
    return _loop.run_until_complete(_collect(*arguments, **settings))


async def _collect(
    call: Call, rows: list[dict[str, Any]], kind: str, make: Any, config_of: Any, **settings: Any
) -> list[float | None]:
    """The rewards that the collector brings back, in the order of the rows; None for rows that it marks as failed.

    Args:
        kind: of environment server, whose class is ``make``, its configuration ``config_of`` with these settings.
    """
    servers = {
        "reward_gateway": _own(RESOURCES["type"], "reward_gateway"),
        "policy_model": _own(POLICY["type"], "policy_model"),
        "simple_agent": _own(AGENT["type"], "simple_agent", resources_server=RESOURCES, model_server=POLICY),
        "environment": _own("environment_servers", kind, agent_server=AGENT, **settings),
    }
    head = BaseServerConfig(host="127.0.0.1", port=_serve_head(servers))
    client = ServerClient(head_server_config=head, global_config_dict=OmegaConf.create(servers))
    agent = SimpleAgentConfig(name="simple_agent", **_settings_of(servers["simple_agent"]))
    environment = config_of(name="environment", **_settings_of(servers["environment"]))
    running = [
        _start(app, _settings_of(servers[name])["port"])
        for name, app in {
            "reward_gateway": _make_server(call, _settings_of(servers["reward_gateway"]), client),
            "policy_model": _policy(call),
            "simple_agent": SimpleAgent(config=agent, server_client=client).setup_webserver(),
            "environment": make(config=environment, server_client=client).setup_webserver(),
        }.items()
    ]
    for place, row in enumerate(rows):
        row.update(_ng_task_index=place, _ng_rollout_index=0)
    name = None if "agent_ref" in rows[0] else "environment"
    try:
        collected = RolloutCollectionHelper().run_examples(
            rows, head, route_failures_to_sidecar=True, environment_server_name=name
        )
        done = await asyncio.wait_for(asyncio.gather(*collected), WAIT_S)
    finally:
        for server, serving in running:
            server.should_exit = True
            await serving
    found = {row["_ng_task_index"]: _reward_of(result) for row, result in done}
    return [found[place] for place in range(len(rows))]


def _reward_of(result: dict[str, Any]) -> float | None:
    reward: float | None = (result.get("result") or result).get("reward")
    return None if "_ng_failure_class" in result else reward


def _make_server(call: Call, settings: dict[str, Any], client: ServerClient) -> FastAPI:
    """Our resources server, from the file that NeMo-Gym would run."""
    spec = importlib.util.spec_from_file_location("app", SERVER / "app.py")
    assert spec is not None
    assert spec.loader is not None
    app = sys.modules["app"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    config = app.RewardGatewayConfig(name="reward_gateway", url=call.url, reward=call.recipe, **settings)
    return app.RewardGatewayServer(config=config, server_client=client).setup_webserver()


def _own(kind: str, name: str, **settings: Any) -> dict[str, Any]:
    """A server of NeMo-Gym's own, on a free port."""
    bound = socket.create_server(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    _bound[port] = bound
    return {kind: {name: {"entrypoint": "app.py", "host": "127.0.0.1", "port": port, **settings}}}


def _settings_of(server: dict[str, Any]) -> dict[str, Any]:
    ((settings,),) = (kind.values() for kind in server.values())
    return dict(settings)


def _policy(call: Call) -> FastAPI:
    """A model that answers each prompt with what the sample says."""
    app = FastAPI()
    said = dict(zip(call.column("prompt"), call.column("response"), strict=True))

    @app.post("/v1/responses")
    @app.post("/ng-rollout/{rollout}/v1/responses")
    async def respond(body: dict[str, Any]) -> dict[str, Any]:
        content = [{"type": "output_text", "text": said[body["input"][0]["content"]], "annotations": []}]
        message = {"id": "m", "role": "assistant", "type": "message", "status": "completed", "content": content}
        return {
            "id": "r", "created_at": 0, "model": "m", "object": "response", "output": [message],
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        }  # fmt: skip

    return app


def _start(app: FastAPI, port: int) -> tuple[uvicorn.Server, asyncio.Task[None]]:
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    return server, asyncio.create_task(server.serve(sockets=[_bound.pop(port)]))


def _serve_head(servers: dict[str, Any]) -> int:
    """The port of a head server that tells where every server is, in the form of NeMo-Gym's."""

    class Head(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(json.dumps(servers)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Head)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])


def parse(lines: list[str]) -> str:
    """Read our file, beside one with a policy's model, with NeMo-Gym's own parser, which finds it where we document."""
    (documented,) = [line for line in lines if line.endswith(".yaml")]
    os.environ["NEMO_GYM_EXTRA_ROOTS"] = str(ROOT)
    model = {"entrypoint": "app.py", "base_url": "http://127.0.0.1:9/v1", "api_key": "k", "model": "m"}
    policy = {"policy_model": {"responses_api_models": {"vllm_model": model}}}
    Path("policy.yaml").write_text(yaml.safe_dump(policy))
    given = OmegaConf.create({"config_paths": [documented, str(Path("policy.yaml").resolve())]})
    config = GlobalConfigDictParser().parse(
        GlobalConfigDictParserConfig(
            initial_global_config_dict=given, skip_load_from_cli=True, skip_load_from_dotenv=True
        )
    )
    assert config.reward_gateway.resources_servers.reward_gateway.port
    return GlobalConfigDictParser.__name__
