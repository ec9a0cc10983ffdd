"""One synchronous function over a batch, for whatever calls ``fn(prompts=…, completions=…, **columns)``.

That is scripts with Unsloth, torchrl, Trinity, PipelineRL (Tunix and axolotl's Hatchery have modules of their own).

    export REWARD_GATEWAY_URL=http://HOST:8080 REWARD_GATEWAY_REWARD=RECIPE
    from reward_gateway.client.adapters.batch import score

``batch.RECIPE`` in place of ``batch.score`` is the recipe of that name. Ground truths come from the column
``reference``, ``ground_truth``, ``answer`` or ``solution``; short texts and numbers of other columns are the sample's
metadata. The answer has one number per completion, in their order,
and None where a sample cannot be scored: TRL leaves it out. A service that stays away longer than
``REWARD_GATEWAY_TIMEOUT_S`` (120) raises.

What makes a number of None takes ``batch.score_all``, which raises instead: axolotl with ``trl.async_prefetch`` or
``context_parallel_size`` over 1, whose own trainers count None as 0.0.
"""

from collections.abc import Callable, Sequence
from typing import Any

from reward_gateway.client.adapters.rows import make_samples
from reward_gateway.client.adapters.service import Service, optional_numbers, require_numbers


def score(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
    """Rewards of completions, by the recipe of ``REWARD_GATEWAY_REWARD`` or the service's default.

    Args:
        prompts, completions: texts, or chat messages, one for one.
        columns: columns of the data set, lists of the same length.

    Raises:
        GatewayError: there is no answer: the service is away, the recipe unknown, the key wrong.
        ValueError: columns of different lengths.
    """
    return _score_by(None, prompts, completions, columns)


def score_all(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float]:
    """As :func:`score`, for trainers that make a number of None. Raises Unscored where a completion has no score."""
    return require_numbers(Service.of(rendered=True).score(make_samples(prompts, completions, columns)))


def _score_by(recipe: str | None, prompts: Any, completions: Any, columns: dict[str, Any]) -> list[float | None]:
    service = Service.of(reward=recipe, rendered=True)
    return optional_numbers(service.score(make_samples(prompts, completions, columns)))


def __getattr__(name: str) -> Callable[..., list[float | None]]:
    """A recipe by its name, so that a dotted path is all that a configuration needs."""
    if name.startswith("_"):
        raise AttributeError(name)

    def reward(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        return _score_by(name, prompts, completions, columns)

    reward.__name__ = reward.__qualname__ = name
    return reward
