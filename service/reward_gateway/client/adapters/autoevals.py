"""Braintrust: a scorer of autoevals.

    from reward_gateway.client.adapters.autoevals import RewardGateway
    Eval("project", data=…, task=…, scores=[RewardGateway("RECIPE", url="http://HOST:8080")])

``input`` is the prompt, ``output`` the response, ``expected`` the reference. Braintrust's scores lie in [0, 1]: a
recipe that gives another number is refused by it. A sample that cannot be scored has the score None, which Braintrust
skips, and the reason in its metadata; a service that stays away longer than ``timeout_s`` (120) raises.
"""

from typing import Any

from autoevals.score import Score, Scorer

from reward_gateway.client.adapters.rows import make_sample
from reward_gateway.client.adapters.service import RecipeScorer, explain_failure, optional_number


class RewardGateway(RecipeScorer, Scorer):  # type: ignore[misc]
    """The reward by a recipe; what is not given comes from the environment."""

    def _name(self) -> str:
        return self._service.reward or "reward"

    def _run_eval_sync(self, output: Any, expected: Any = None, input: Any = None, **ignored: Any) -> Any:
        (one,) = self._service.score([make_sample(input, output, expected)])
        number = optional_number(one)
        metadata = {"error": explain_failure(one)} if number is None else dict(one.components)
        return Score(name=self._name(), score=number, metadata=metadata)
