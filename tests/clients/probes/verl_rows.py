"""What the probes of verl share: its configuration, and rows as its agent loop hands them to the reward loop."""

from pathlib import Path
from typing import Any


def compose_config(overrides: list[str]) -> Any:
    """verl's own PPO configuration with these overrides."""
    import verl
    from hydra import compose, initialize_config_dir

    folder = Path(verl.__file__).parent / "trainer" / "config"
    with initialize_config_dir(str(folder), version_base=None):
        return compose("ppo_trainer", overrides=overrides)


def make_rows(tokenizer: Any, samples: list[dict[str, Any]]) -> Any:
    """A batch: prompts padded on the left, responses on the right, each by one token at least."""
    import numpy as np
    import torch
    from tensordict import TensorDict
    from verl import DataProto

    prompts = [tokenizer(sample["prompt"], add_special_tokens=False)["input_ids"] for sample in samples]
    responses = [
        [*tokenizer(sample["response"], add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        for sample in samples
    ]
    before, after = 1 + max(map(len, prompts)), 1 + max(map(len, responses))
    tensors = {
        "prompts": torch.tensor([[0] * (before - len(tokens)) + tokens for tokens in prompts]),
        "responses": torch.tensor([tokens + [0] * (after - len(tokens)) for tokens in responses]),
        "attention_mask": torch.tensor(
            [
                [0] * (before - len(prompt)) + [1] * (len(prompt) + len(response)) + [0] * (after - len(response))
                for prompt, response in zip(prompts, responses, strict=True)
            ]
        ),
    }
    fields = [
        {
            "raw_prompt": [{"role": "user", "content": sample["prompt"]}],
            "data_source": sample.get("metadata", {}).get("data_source", "d"),
            "reward_model": {"ground_truth": sample.get("reference")},
            "extra_info": {"question": sample["prompt"]},
            "uid": sample["prompt"],
            "global_steps": sample.get("step"),  # verl 0.9's trainer has it, with the fields that the rollout keeps
            "tool_extra_fields": {} if "step" not in sample else {"max_global_steps": sample["step"] - 1},
        }
        for sample in samples
    ]
    columns = {name: np.fromiter((row[name] for row in fields), dtype=object) for name in fields[0]}
    return DataProto(batch=TensorDict(tensors, batch_size=len(samples)), non_tensor_batch=columns)
