"""verl's reward manager, which is also given the prompt (verl 0.7 and later).

    reward.reward_manager.source=importlib
    reward.reward_manager.name=RewardGatewayManager
    reward.reward_manager.module.path=pkg://reward_gateway.client.adapters.verl_manager
    +reward.custom_reward_function.reward_kwargs.url=http://HOST:8080
    +reward.custom_reward_function.reward_kwargs.reward=RECIPE    # optional; timeout_s, api_key, run, jobs likewise

It scores the messages of ``raw_prompt`` (``data.return_raw_chat=True`` in releases that do not always keep them) with
the images in them, the response without special tokens, and the row's ``reward_model.ground_truth``; samples of one
``uid`` are one group. Single samples of the same moment travel in one request. Beside the reward stand the recipe's
components, the same keys and only numbers for every sample. What the row and its ``extra_info`` say in short texts and
numbers (``data_source``) is the sample's metadata, by which a recipe may choose the scorer. With ``run``, the gateway
keeps the history of the run by verl's own steps, validation among them under the step at which it ran. A sample without
a score raises, and stops the run.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from reward_gateway.client.adapters.rows import REFERENCES, make_sample
from reward_gateway.client.adapters.service import Service, require_number
from reward_gateway.client.adapters.verl import find_step

if TYPE_CHECKING:
    RewardManagerBase: Any = object
else:
    try:
        from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase
    except ImportError:

        class RewardManagerBase:
            """verl's base, as far as it is used here."""

            def __init__(self, config: Any, tokenizer: Any, compute_score: Any) -> None:
                self.tokenizer = tokenizer


class RewardGatewayManager(RewardManagerBase):  # type: ignore[misc]
    """Rewards of single sequences, as verl's reward loop asks for them."""

    def __init__(
        self,
        config: Any,
        tokenizer: Any,
        compute_score: Any = None,
        reward_router_address: str | None = None,
        reward_model_tokenizer: Any = None,
    ) -> None:
        super().__init__(config, tokenizer, compute_score)
        settings = dict((config.reward.get("custom_reward_function") or {}).get("reward_kwargs") or {})
        known = ("url", "reward", "api_key", "timeout_s", "run", "jobs")
        self._service = Service.of(**{name: settings.get(name) for name in known}, rendered=True)

    async def run_single(self, data: Any) -> dict[str, Any]:
        """The reward of a sequence (of several sequences of one trajectory, the last) and its components.

        Raises:
            Unscored, GatewayError: there is no reward.
        """
        item = data[-1:][0]
        response = await asyncio.to_thread(self._decode_response, item.batch)
        row = item.non_tensor_batch
        one = await self._service.score_one(_read_sample(row, response), _find_step(row))
        reward = require_number(one)
        return {"reward_score": reward, "reward_extra_info": {**one.components, "score": reward}}

    def _decode_response(self, tensors: Any) -> str:
        tokens = tensors["responses"]
        count = int(tensors["attention_mask"][-len(tokens) :].sum())
        text: str = self.tokenizer.decode(tokens[:count], skip_special_tokens=True)
        return text


def _read_sample(row: Mapping[str, Any], response: str) -> dict[str, Any]:
    extra = row.get("extra_info") or {}
    truths = [(row.get("reward_model") or {}).get("ground_truth"), *(extra.get(name) for name in REFERENCES)]
    prompt = row.get("raw_prompt")
    messages = None if prompt is None else prompt if isinstance(prompt, str) else list(prompt)
    group = row.get("uid")
    return make_sample(
        messages,
        response,
        next((truth for truth in truths if truth is not None), None),
        group=None if group is None else str(group),
        images=_find_images(messages),
        rows=[{name: value for name, value in row.items() if name != "uid"}, extra],
    )


def _find_step(row: Mapping[str, Any]) -> int | None:
    """The trainer's step, which verl 0.9 hands over with the row; before, and in its older trainer, by the policy's."""
    step = row.get("global_steps")
    if isinstance(step, int | np.integer) and step >= 0:
        return int(step)
    return find_step(row.get("tool_extra_fields"))


def _find_images(messages: Any) -> list[Any] | None:
    """The images that stand in messages, in their order."""
    parts = [part for message in messages if isinstance(message["content"], list) for part in message["content"]]
    return [part["image"] for part in parts if part.get("type") == "image" and part.get("image") is not None] or None
