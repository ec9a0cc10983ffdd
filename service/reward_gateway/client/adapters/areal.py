"""AReaL.

    export REWARD_GATEWAY_URL=http://HOST:8080 REWARD_GATEWAY_REWARD=RECIPE
    reward_fn: reward_gateway.client.adapters.areal.reward

or, with arguments, ``reward_fn=Reward("RECIPE", "http://HOST:8080")`` in a script.

AReaL runs the function in a pool of processes, gives it 15 s, and makes 0 of a call that takes longer; so the call
ends by itself after 12 s, whatever is set, and raises: AReaL tries again, and then stops.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reward_gateway.client.adapters.rows import REFERENCES, make_sample
from reward_gateway.client.adapters.service import Service, require_number

LONGEST_S = 12.0


@dataclass(frozen=True, slots=True)
class Reward:
    """A reward function that can be pickled. What is not given comes from the environment of the worker."""

    recipe: str | None = None
    url: str | None = None
    api_key: str | None = None
    run: str | None = None

    def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: Sequence[int] | None = None,
        completion_ids: Sequence[int] | None = None,
        **columns: Any,
    ) -> float:
        truth = next((columns[name] for name in REFERENCES if columns.get(name) is not None), None)
        service = Service.of(self.url, self.recipe, self.api_key, run=self.run, longest_s=LONGEST_S)
        return require_number(service.score([make_sample(prompt, completions, truth)])[0])


def reward(
    prompt: str,
    completions: str,
    prompt_ids: Sequence[int] | None = None,
    completion_ids: Sequence[int] | None = None,
    **columns: Any,
) -> float:
    """The reward of one completion."""
    return Reward()(prompt, completions, prompt_ids, completion_ids, **columns)
