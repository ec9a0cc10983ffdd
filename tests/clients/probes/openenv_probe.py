"""OpenEnv: one WebSocket per recipe; each sample is an episode, reset with its task and stepped with its response."""

from typing import Any

from openenv import GenericEnvClient
from run import Call

PACKAGE = "openenv"


def score(call: Call) -> list[float | None]:
    with GenericEnvClient(base_url=f"{call.url}/r/{call.recipe}").sync() as env:
        return [_play(env, sample) for sample in call.samples]


def _play(env: Any, sample: dict[str, Any]) -> float | None:
    task = {name: value for name, value in sample.items() if name != "response"}
    begun = env.reset(task=task)
    assert begun.observation["prompt"] == sample["prompt"]
    assert (begun.reward, begun.done) == (None, False)
    ended = env.step({"answer": sample["response"]})
    state = env.state()
    assert ended.done
    assert state == {"episode_id": begun.observation["episode_id"], "step_count": 1}
    assert ("error" in ended.observation["metadata"]) == (ended.reward is None)
    return ended.reward


def parse(lines: list[str]) -> str:
    """The client as the table makes it."""
    (made,) = [line for line in lines if line.startswith("GenericEnvClient(")]
    assert eval(made, {"GenericEnvClient": GenericEnvClient})._ws_url == "ws://HOST:8080/r/RECIPE/ws"
    return GenericEnvClient.__name__
