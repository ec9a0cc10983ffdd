"""axolotl: the reward function of its NeMo-Gym plugin, which posts to /verify and makes 0.0 of every failure."""

import yaml
from axolotl.integrations.nemo_gym.rewards import create_nemo_gym_reward_fn
from run import Call

PACKAGE = "axolotl"


def parse(lines: list[str]) -> str:
    from axolotl.integrations.nemo_gym.args import NemoGymArgs

    settings = yaml.safe_load("\n".join(line for line in lines if ": " in line))
    parsed = NemoGymArgs(nemo_gym_enabled=True, nemo_gym_datasets=[{"path": "p"}], **settings)
    assert parsed.nemo_gym_auto_start is False
    return type(parsed).__name__


def score(call: Call) -> list[float | None]:
    endpoints = {"reward_gateway": f"{call.url}/r/{call.recipe}/verify"}
    function = create_nemo_gym_reward_fn({}, endpoints)
    references = [sample.get("reference") for sample in call.samples]
    rewards = function(
        completions=[[{"role": "assistant", "content": sample["response"]}] for sample in call.samples],
        prompts=[[{"role": "user", "content": sample["prompt"]}] for sample in call.samples],
        resources_server_ref=[{"name": "reward_gateway"}] * len(call.samples),
        verify_extra=[{"expected_answer": reference} for reference in references],
    )
    return [float(reward) for reward in rewards]
