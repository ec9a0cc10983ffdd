"""Train a model made on the spot with TRL's GRPO, rewarded by a service; test_trl.py runs it.

    python grpo.py OUT.json STEPS PAUSE RECIPE [RECIPE …]

The policy is a Llama of two layers with random weights over a vocabulary of words. What it is rewarded for it cannot
do at first, and learns in some steps. OUT.json gets TRL's log, an object a step, and every reward that TRL was given.
"""

import json
import sys
import time
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from reward_gateway.client.adapters.trl import make_reward
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, TrainerCallback, set_seed
from trl import GRPOConfig, GRPOTrainer

WORDS = ["yes", "no", "maybe", "red", "green", "blue", "one", "two", "three", "cat", "dog", "is", "it", "?"]
SPECIAL = ["<pad>", "<eos>", "<unk>"]


def tokenizer() -> PreTrainedTokenizerFast:
    """Words, a token each."""
    made = Tokenizer(WordLevel({word: i for i, word in enumerate(SPECIAL + WORDS)}, unk_token="<unk>"))
    made.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", padding_side="left"
    )


def policy() -> LlamaForCausalLM:
    """Two layers of 32, about 20 thousand weights."""
    size = len(SPECIAL + WORDS)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=size, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=4, max_position_embeddings=64, pad_token_id=0, eos_token_id=1, bos_token_id=1,
        )
    )  # fmt: skip


def heard(recipe: str, record: list[list[float | None]]) -> Any:
    """The adapter's reward function, whose answers are kept."""
    function = make_reward(recipe)

    @wraps(function)
    async def reward(*args: Any, **columns: Any) -> list[float | None]:
        rewards = await function(*args, **columns)
        record.append(rewards)
        return rewards

    return reward


class Pace(TrainerCallback):  # type: ignore[misc]
    """Says on the standard output that a step is done, so that a test can act between two of them."""

    def __init__(self, pause_s: float) -> None:
        self.pause_s = pause_s

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        print(f"step {state.global_step}", flush=True)
        time.sleep(self.pause_s)


def main(out: str, steps: str, pause_s: str, *recipes: str) -> None:
    """Train and write the log."""
    torch.set_num_threads(1)
    set_seed(7)
    words = ["cat", "dog", "red", "green", "blue", "one", "two", "three"]
    prompts = [f"is {a} {b} ?" for a in words for b in words]
    config = GRPOConfig(
        output_dir=str(Path(out).parent / "run"), max_steps=int(steps), per_device_train_batch_size=32,
        num_generations=8, max_completion_length=8, learning_rate=1e-2, lr_scheduler_type="constant", beta=0.0,
        logging_steps=1, report_to=[], save_strategy="no", use_cpu=True, seed=7, bf16=False, disable_tqdm=True,
        temperature=1.0, gradient_checkpointing=False,
    )  # fmt: skip
    record: dict[str, list[list[float | None]]] = {recipe: [] for recipe in recipes}
    trainer = GRPOTrainer(
        model=policy(),
        processing_class=tokenizer(),
        reward_funcs=[heard(recipe, record[recipe]) for recipe in recipes],
        args=config,
        train_dataset=Dataset.from_dict({"prompt": prompts, "answer": ["yes"] * len(prompts)}),
        callbacks=[Pace(float(pause_s))],
    )
    trainer.train()
    weights = bool(all(torch.isfinite(p).all() for p in trainer.model.parameters()))
    Path(out).write_text(json.dumps({"log": trainer.state.log_history, "heard": record, "finite": weights}))


if __name__ == "__main__":
    main(*sys.argv[1:])
