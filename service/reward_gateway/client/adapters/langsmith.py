"""LangSmith: an evaluator, for ``evaluate`` and ``aevaluate``.

    from reward_gateway.client.adapters.langsmith import make_evaluator
    client.evaluate(target, data="dataset", evaluators=[make_evaluator("RECIPE", "http://HOST:8080")])

or ``reward`` itself, with ``REWARD_GATEWAY_URL`` and ``REWARD_GATEWAY_REWARD``. The prompt is what the inputs hold
under ``prompt``, ``question``, ``input`` or ``messages``, the response what the outputs hold under ``response``,
``answer``, ``output``, ``completion`` or ``messages``, the reference what the reference outputs hold under
``reference``, ``ground_truth``, ``answer``, ``solution`` or ``output``; where there is one key only, it counts. An
example that cannot be scored has no score, and the reason as its comment; a service that stays away raises.
"""

from collections.abc import Callable, Mapping
from typing import Any

from reward_gateway.client.adapters.rows import REFERENCES, make_sample
from reward_gateway.client.adapters.service import Service, explain_failure, optional_number

_PROMPTS = ("prompt", "question", "input", "messages")
_RESPONSES = ("response", "answer", "output", "completion", "messages")
_TRUTHS = (*REFERENCES, "output")
Fields = Mapping[str, Any] | None


def make_evaluator(
    recipe: str | None = None, url: str | None = None, api_key: str | None = None, timeout_s: float | None = None
) -> Callable[..., dict[str, Any]]:
    """An evaluator by one recipe, under whose name LangSmith shows it."""

    def reward(inputs: Fields, outputs: Fields, reference_outputs: Fields = None) -> dict[str, Any]:
        service = Service.of(url, recipe, api_key, timeout_s)
        sample = make_sample(
            _find_value(inputs, _PROMPTS), _find_value(outputs, _RESPONSES), _find_value(reference_outputs, _TRUTHS)
        )
        (one,) = service.score([sample])
        number = optional_number(one)
        comment = {"comment": explain_failure(one)} if number is None else {}
        return {"key": service.reward or "reward", "score": number, **comment}

    reward.__name__ = reward.__qualname__ = recipe or "reward"
    return reward


reward = make_evaluator()
"""The recipe that ``REWARD_GATEWAY_REWARD`` names, else the service's default."""


def _find_value(fields: Fields, names: tuple[str, ...]) -> Any:
    """What stands under the first of the names, else the only value."""
    if not fields:
        return None
    only = next(iter(fields.values())) if len(fields) == 1 else None
    return next((fields[name] for name in names if fields.get(name) is not None), only)
