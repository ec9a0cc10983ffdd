"""axolotl's Hatchery: its trainer loads the functions that its configuration names, and adds up what they say."""

import yaml
from axolotl.integrations.hatchery.args import HatcheryArgs, HatcheryConfig
from axolotl.integrations.hatchery.rl_trainer import HatcheryRLTrainer
from run import Call, render_chatml

PACKAGE = "axolotl"
FUNCTION = "reward_gateway.client.adapters.hatchery.score"


def score(call: Call) -> list[float | None]:
    trainer = HatcheryRLTrainer.__new__(HatcheryRLTrainer)  # the rest of it asks a remote service for gradients
    trainer.hatchery_args, trainer._reward_functions = HatcheryConfig(reward_funcs=[FUNCTION]), []
    trainer._ensure_reward_functions()
    golds = [f"<|gold|>{truth}<|/gold|>" if truth else "" for truth in call.column("reference")]
    prompts = [render_chatml(f"{prompt}{gold}") for prompt, gold in zip(call.column("prompt"), golds, strict=True)]
    return list(trainer._compute_rewards(prompts, [f"{said}<|im_end|>" for said in call.column("response")]))


def parse(lines: list[str]) -> str:
    key, functions = next(iter(yaml.safe_load(lines[0]).items()))
    section, name = key.split(".")
    parsed = HatcheryArgs(**{section: {name: functions}})
    assert parsed.hatchery is not None
    assert parsed.hatchery.reward_funcs == [FUNCTION]
    return type(parsed.hatchery).__name__
