"""OpenEnv: a rubric that scores with a recipe, for an environment of your own.

    from reward_gateway.client.adapters.openenv import RewardRubric

    class MyEnvironment(Environment):
        def __init__(self):
            super().__init__(rubric=RewardRubric("math"))

``self._apply_rubric(action, observation)`` then gives the reward of the action's text. An action without a score
raises: no reward is made up. The names of the fields are arguments, for environments whose fields have others.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reward_gateway.client.adapters.rows import make_sample
from reward_gateway.client.adapters.service import Service, Unscored, require_number

if TYPE_CHECKING:
    Rubric: Any = object
else:
    try:
        from openenv.core.rubrics import Rubric
    except ImportError:
        Rubric = object

RESPONSES = ("answer", "response", "message", "content", "text")
PROMPTS = ("prompt", "question", "messages", "instruction")
REFERENCES = ("reference", "ground_truth", "expected_answer", "label")
"""Fields of an action and of an observation, or of their metadata; the first that is there is read."""


class RewardRubric(Rubric):  # type: ignore[misc]
    """The reward of an action by a recipe.

    Args:
        reward: name of the recipe; None: ``REWARD_GATEWAY_REWARD``, else the service's default.
        response, prompt, reference: names of the fields that hold them; None: the usual ones.
    """

    def __init__(
        self,
        reward: str | None = None,
        url: str | None = None,
        *,
        response: str | None = None,
        prompt: str | None = None,
        reference: str | None = None,
        api_key: str | None = None,
        run: str | None = None,
        timeout_s: float | None = None,
    ) -> None:
        super().__init__()
        self._service = Service.of(url, reward, api_key, timeout_s, run=run)
        self._responses = (response,) if response else RESPONSES
        self._prompts = (prompt,) if prompt else PROMPTS
        self._references = (reference,) if reference else REFERENCES

    def forward(self, action: Any, observation: Any) -> float:
        """The reward. Raises Unscored or GatewayError where there is none."""
        response = action if isinstance(action, str) else _find(self._responses, action)
        if response is None:
            raise Unscored(f"the action has none of the fields {', '.join(self._responses)}: name its text's")
        prompt = _find(self._prompts, observation, action)
        sample = make_sample(prompt, response, _find(self._references, observation, action))
        return require_number(self._service.score([sample])[0])


def _find(names: tuple[str, ...], *holders: Any) -> Any:
    """The first field of these names that is not None, of the holders or of their metadata."""
    for holder in holders:
        for fields in (holder, _get(holder, "metadata")):
            for name in names:
                if (value := _get(fields, name)) is not None:
                    return value
    return None


def _get(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
