"""TRL: the trainer's own computation of rewards, with the functions that its command line loads by dotted path."""

import tempfile
from typing import Any

import torch
from datasets import Dataset
from run import Call
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer, ModelConfig, TrlParser
from trl.scripts import grpo

PACKAGE = "trl"


def score(call: Call) -> list[float | None]:
    rows = [{"prompt": sample["prompt"], "answer": sample.get("reference")} for sample in call.samples]
    from reward_gateway.client.adapters.trl import reward

    trainer = make_trainer(rows, [reward])
    texts = call.column("response")
    tokens = [[1] for _ in texts]
    rewards = trainer._calculate_rewards(rows, call.column("prompt"), texts, tokens)
    return [None if torch.isnan(row).any() else float(row[0]) for row in rewards]


def make_trainer(rows: list[dict[str, Any]], functions: list[Any], kind: type[GRPOTrainer] = GRPOTrainer) -> Any:
    """A trainer of a model of no size, which is only asked for rewards."""
    made = Tokenizer(models.WordLevel({"<pad>": 0, "<eos>": 1, "a": 2}, unk_token="<pad>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=3, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    )
    config = GRPOConfig(output_dir=tempfile.mkdtemp(), report_to=[], use_cpu=True, bf16=False, num_generations=2,
                        per_device_train_batch_size=2)  # fmt: skip
    return kind(
        model=model,
        processing_class=PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="<eos>"),
        reward_funcs=functions,
        args=config,
        train_dataset=Dataset.from_list(rows),
    )


def parse(lines: list[str]) -> str:
    parser = TrlParser((grpo.GRPOScriptArguments, GRPOConfig, ModelConfig))
    machine = ["--use_cpu", "true", "--bf16", "false", "--output_dir", "o"]
    arguments, *_ = parser.parse_args_and_config([*lines[0].split(), "--dataset_name", "d", *machine])
    assert arguments.reward_funcs == ["reward_gateway.client.adapters.trl.reward"]
    return type(arguments).__name__
