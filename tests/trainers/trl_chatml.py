"""Train the ChatML policy with TRL's GRPO on rewards of a service; test_chatml.py runs it.

    python trl_chatml.py FOLDER OUT.jsonl STEPS RECIPE [RECIPE …]

FOLDER is what ``policy.py`` made. Prompts are chat messages, which TRL renders by the policy's template. The last
prompt has no ``answer``. OUT.jsonl gets a line for each completion: what was asked and answered, as messages, and the
reward of each recipe as TRL trained on it, null where it left it out.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from reward_gateway.client.adapters.trl import make_reward
from transformers import set_seed
from trl import GRPOConfig, GRPOTrainer

GROUP = 4
BATCH = 8


class RecordingTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's own, which writes down the matrix of rewards that it goes on with."""

    def __init__(self, *args: Any, out: Path, **named: Any) -> None:
        super().__init__(*args, **named)
        self.out = out

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, tokens: Any) -> Any:
        rewards = super()._calculate_rewards(inputs, prompts, completions, tokens)
        with self.out.open("a") as file:
            for row, prompt, completion, given in zip(inputs, prompts, completions, rewards.tolist(), strict=True):
                numbers = [None if math.isnan(number) else number for number in given]
                sample = {"messages": prompt, "response": completion[0]["content"], "reference": row["answer"]}
                rewards_of = dict(zip(self.reward_func_names, numbers, strict=True))
                file.write(json.dumps({**sample, "step": self.state.global_step, "rewards": rewards_of}) + "\n")
        return rewards


def main(folder: str, out: str, steps: str, *recipes: str) -> None:
    """Train, and check that the weights have moved and are finite."""
    torch.set_num_threads(1)
    set_seed(7)
    lines = (Path(folder) / "prompts.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines[: int(steps) * BATCH // GROUP]]
    rows[-1]["answer"] = None
    config = GRPOConfig(
        output_dir=str(Path(out).parent / "run"), max_steps=int(steps), per_device_train_batch_size=BATCH,
        num_generations=GROUP, max_completion_length=48, learning_rate=1e-4, beta=0.0, logging_steps=1, report_to=[],
        save_strategy="no", use_cpu=True, seed=7, bf16=False, disable_tqdm=True, gradient_checkpointing=False,
    )  # fmt: skip
    trainer = RecordingTrainer(
        model=str(Path(folder) / "policy"),
        reward_funcs=[make_reward(recipe) for recipe in recipes],
        args=config,
        train_dataset=Dataset.from_list([{"prompt": row["prompt"], "answer": row["answer"]} for row in rows]),
        out=Path(out),
    )
    before = [parameter.detach().clone() for parameter in trainer.model.parameters()]
    trainer.train()
    after = list(trainer.model.parameters())
    assert all(torch.isfinite(parameter).all() for parameter in after)
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
