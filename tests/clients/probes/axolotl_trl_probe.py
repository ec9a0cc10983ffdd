"""axolotl: its GRPO trainer, with the reward functions that its configuration names."""

import torch
import yaml
from axolotl.core.trainers.grpo import GRPOStrategy
from axolotl.core.trainers.grpo.trainer import AxolotlGRPOTrainer
from axolotl.utils.dict import DictDefault
from axolotl.utils.schemas.config import AxolotlInputConfig
from run import Call
from trl_probe import make_trainer

PACKAGE = "axolotl"
LINE = "trl: {reward_funcs: [reward_gateway.client.adapters.trl.reward]}"


def score(call: Call) -> list[float | None]:
    (functions,) = GRPOStrategy.set_trainer_args(DictDefault(yaml.safe_load(LINE)))
    rows = [{"prompt": sample["prompt"], "answer": sample.get("reference")} for sample in call.samples]
    trainer = make_trainer(rows, functions, AxolotlGRPOTrainer)
    rewards = trainer._calculate_rewards(rows, call.column("prompt"), call.column("response"), [[1]] * len(rows))
    return [None if torch.isnan(row).any() else float(row[0]) for row in rewards]


def parse(lines: list[str]) -> str:
    assert lines[0] == LINE
    needed = {"base_model": "m", "micro_batch_size": 2, "gradient_accumulation_steps": 1, "learning_rate": 1e-6}
    rest = {"rl": "grpo", "datasets": [{"path": "d", "type": "m.transform"}], **needed}
    config = AxolotlInputConfig(**yaml.safe_load(lines[0]), **rest)
    (function,) = GRPOStrategy.set_trainer_args(DictDefault(config.model_dump(exclude_none=True)))[0]
    from reward_gateway.client.adapters import trl

    assert function is trl.reward
    return type(config).__name__
