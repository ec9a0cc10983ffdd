"""axolotl's Hatchery: a reward function over what its trainer decodes.

    export REWARD_GATEWAY_URL=http://HOST:8080 REWARD_GATEWAY_REWARD=RECIPE
    hatchery: {reward_funcs: [reward_gateway.client.adapters.hatchery.score]}

Hatchery hands over texts with every mark of the chat template in them, and the ground truth inside the prompt, between
``<|gold|>`` and ``<|/gold|>``. The ground truth becomes the reference, and the texts go to ``POST /get_reward``, which
reads rendered text back into messages, so that the reward is that of the conversation. ``hatchery.RECIPE`` in place of
``hatchery.score`` is the recipe of that name. One sample without a score raises, and the run stops: Hatchery adds
numbers up and has no other way to leave a sample out.
"""

import re
from collections.abc import Callable, Sequence

from reward_gateway.client.adapters.service import Service

_GOLD = re.compile(r"<\|gold\|>(.*?)<\|/gold\|>", re.DOTALL)


def score(prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
    """Rewards of completions, by the recipe of ``REWARD_GATEWAY_REWARD`` or the service's default.

    Args:
        prompts: rendered prompts, each with its ground truth where it has one.
        completions: what was decoded after each, the mark that ends a turn included.

    Raises:
        GatewayError: a sample has no score, or there is no answer.
    """
    return _score_by(None, prompts, completions)


def _score_by(recipe: str | None, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
    found = [_GOLD.search(prompt) for prompt in prompts]
    asked = [_GOLD.sub("", prompt) for prompt in prompts]
    body = {
        "query": [prompt + completion for prompt, completion in zip(asked, completions, strict=True)],
        "prompts": asked,
        "labels": [gold and gold[1].strip() for gold in found],
    }
    rewards: list[float] = Service.of(reward=recipe).post("/get_reward", body)["rewards"]
    return rewards


def __getattr__(name: str) -> Callable[..., list[float]]:
    """A recipe by its name, so that a dotted path is all that a configuration needs."""
    if name.startswith("_"):
        raise AttributeError(name)

    def reward(prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
        return _score_by(name, prompts, completions)

    reward.__name__ = reward.__qualname__ = name
    return reward
