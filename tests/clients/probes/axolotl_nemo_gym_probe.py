"""axolotl: its NeMo-Gym plugin finds the recipes in the head server's configuration, and posts to their addresses."""

import importlib

import yaml
from axolotl.integrations.nemo_gym.rewards import create_nemo_gym_reward_fn
from axolotl.integrations.nemo_gym.server import get_server_configs, get_verify_endpoint
from run import Call, find_file

PACKAGE = "axolotl"


def parse(lines: list[str]) -> str:
    from axolotl.integrations.nemo_gym.args import NemoGymArgs

    settings = yaml.safe_load("\n".join(line for line in lines if ": " in line))
    parsed = NemoGymArgs(nemo_gym_enabled=True, **settings)
    assert parsed.nemo_gym_auto_start is False
    return type(parsed).__name__


def find_endpoint(call: Call) -> str:
    """Where the plugin sends rows, as it finds out when training begins: what is away now was there then."""
    port = int(call.url.rpartition(":")[2])
    try:
        return get_verify_endpoint(get_server_configs(port, timeout=5.0), call.recipe)
    except RuntimeError:
        return f"http://127.0.0.1:{port}/r/{call.recipe}/axolotl/verify"


def score(call: Call) -> list[float | None]:
    function = create_nemo_gym_reward_fn({}, {call.recipe: find_endpoint(call)})
    references = [sample.get("reference") for sample in call.samples]
    rewards = function(
        completions=[[{"role": "assistant", "content": sample["response"]}] for sample in call.samples],
        prompts=[[{"role": "user", "content": sample["prompt"]}] for sample in call.samples],
        resources_server_ref=[{"name": call.recipe}] * len(call.samples),
        verify_extra=[{"expected_answer": reference} for reference in references],
    )
    return [float(reward) for reward in rewards]


def read_guide(guide: str) -> str:
    from axolotl.integrations.nemo_gym.args import NemoGymArgs

    settings = yaml.safe_load(find_file(guide, "nemo_gym.yaml"))
    ours = {name: value for name, value in settings.items() if name.startswith("nemo_gym_")}
    assert ours.keys() <= NemoGymArgs.model_fields.keys()
    (function,) = settings["trl"]["reward_funcs"]
    module, _, name = function.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))
    return type(NemoGymArgs(**ours)).__name__
