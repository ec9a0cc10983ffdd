"""Train the ChatML policy with TRL's asynchronous GRPO on rewards of a service's jobs; test_trl_async.py runs it.

    python trl_async.py FOLDER OUT STEPS VLLM_URL RECIPE [RECIPE …]

FOLDER is what ``policy.py`` made, and what the vLLM serves. The second prompt has no ``answer``. OUT gets
``trained.jsonl``, a line for each completion that a batch was made of, as messages and with what TRL says of it, and
``log.json``, what TRL logged. See ``trl_on_cpu`` for what is replaced.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

import torch
import trl_on_cpu
from datasets import Dataset
from reward_gateway.client.adapters.trl import make_reward
from transformers import AutoTokenizer
from trl.chat_template_utils import parse_response, qwen3_template
from trl.experimental.async_grpo import AsyncGRPOConfig, AsyncGRPOTrainer, async_grpo_trainer

GROUP = 4
BATCH = 8


class RecordingCollator(async_grpo_trainer.DataCollatorForRollout):  # type: ignore[misc]
    """TRL's own, which writes down what it makes a batch of, and how many lines TRL had logged by then."""

    out: Path
    trainer: Any

    def torch_call(self, examples: list[Any]) -> dict[str, Any]:
        tokenizer, logged = self.trainer.processing_class, len(self.trainer.state.log_history)
        with self.out.open("a") as file:
            for sample in (sample for row in examples[0] for sample in row.samples):
                asked, answered = (sample["input_ids"][sample["completion_mask"] == own].tolist() for own in (0, 1))
                row = {
                    "rendered": tokenizer.decode(asked),
                    "response": [parse_response(tokenizer, answered, prefix=asked)],
                    "metrics": {name: None if math.isnan(n) else n for name, n in sample["metrics"].items()},
                    "advantage": sample["advantage"],
                    "group": sample["group_id"],
                    "logged": logged,
                }
                file.write(json.dumps(row) + "\n")
        batch: dict[str, Any] = super().torch_call(examples)
        return batch


def main(folder: str, out: str, steps: str, url: str, *recipes: str) -> None:
    """Train, and check that the weights have moved and are finite."""
    torch.set_num_threads(1)
    trl_on_cpu.set_up()
    home = str(Path(folder) / "policy")
    tokenizer = AutoTokenizer.from_pretrained(home)
    tokenizer.response_template = qwen3_template  # which TRL takes for the templates of ChatML that it knows
    rows = [json.loads(line) for line in (Path(folder) / "prompts.jsonl").read_text().splitlines()]
    rows[1]["answer"] = None
    config = AsyncGRPOConfig(
        output_dir=str(Path(out) / "run"), max_steps=int(steps), per_device_train_batch_size=BATCH,
        num_generations=GROUP, max_completion_length=48, learning_rate=1e-3, report_to=[], save_strategy="no",
        use_cpu=True, seed=7, bf16=False, disable_tqdm=True, gradient_checkpointing=False, token_budget=0,
        vllm_server_base_url=url,
    )  # fmt: skip
    async_grpo_trainer.DataCollatorForRollout = RecordingCollator
    trainer = RecordingCollator.trainer = AsyncGRPOTrainer(
        model=home,
        processing_class=tokenizer,
        reward_funcs=[make_reward(recipe, jobs=True) for recipe in recipes],
        args=config,
        train_dataset=Dataset.from_list([{"prompt": row["prompt"], "answer": row["answer"]} for row in rows]),
        weight_transfer=trl_on_cpu.WeightsByFile(url, Path(out) / "weights"),
    )
    RecordingCollator.out = Path(out) / "trained.jsonl"
    before = [parameter.detach().clone() for parameter in trainer.model.parameters()]
    trainer.train()
    after = list(trainer.model.parameters())
    assert all(torch.isfinite(parameter).all() for parameter in after)
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    (Path(out) / "log.json").write_text(json.dumps(trainer.state.log_history))


if __name__ == "__main__":
    main(*sys.argv[1:])
