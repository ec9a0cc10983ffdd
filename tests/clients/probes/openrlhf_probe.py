"""OpenRLHF: its executor generates, posts what it decoded to the URL, and keeps the answer's reward.

The policy speaks ChatML, so that the text that is posted has the marks of a template, as it has in training.
"""

import asyncio
from types import SimpleNamespace
from typing import Any

import torch
from openrlhf.utils.agent import SingleTurnAgentExecutor
from run import Call, render_chatml

PACKAGE = "openrlhf"


class Tokenizer:
    """Characters by their code points."""

    def __call__(self, text: str, **_: Any) -> dict[str, Any]:
        return {"input_ids": torch.tensor([[ord(letter) for letter in text]])}

    def decode(self, tokens: list[int], skip_special_tokens: bool) -> str:
        return "".join(map(chr, tokens))


class Engine:
    """Generates what the sample says."""

    def __init__(self, response: str) -> None:
        self.response = response

    async def generate(self, *_: Any, **__: Any) -> Any:
        tokens = [ord(letter) for letter in self.response + "<|im_end|>"]
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=tokens, finish_reason="stop", logprobs=None)])


def score(call: Call) -> list[float | None]:
    return asyncio.run(_score(call))


async def _score(call: Call) -> list[float | None]:
    executor = SingleTurnAgentExecutor(f"{call.url}/get_reward?reward={call.recipe}")
    settings = SimpleNamespace(max_tokens=512, logprobs=None)
    outputs = await asyncio.gather(
        *(
            executor.execute(
                render_chatml(sample["prompt"]), sample.get("reference"), settings, 4096, Tokenizer(),
                Engine(sample["response"]),
            )
            for sample in call.samples
        )
    )  # fmt: skip
    return [None if output["reward"] is None else output["reward"][0] for output in outputs]
