"""inspect_ai: a scorer.

    from reward_gateway.client.adapters.inspect_ai import reward
    Task(dataset, solver, scorer=reward("RECIPE", url="http://HOST:8080"))

The prompt is the sample's input, the response the output's completion, the reference its target (several targets are
several accepted answers). The recipe's components are the score's metadata. A sample that cannot be scored is
``Score.unscored``, with the reason, which metrics leave out; a service that stays away longer than
``REWARD_GATEWAY_TIMEOUT_S`` (120) is the sample's error.
"""

from typing import Any

from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState

from reward_gateway.client.adapters.rows import make_sample
from reward_gateway.client.adapters.service import Service, explain_failure, optional_number


@scorer(metrics=[mean(), stderr()])  # type: ignore[untyped-decorator]
def reward(
    recipe: str | None = None, url: str | None = None, api_key: str | None = None, timeout_s: float | None = None
) -> Scorer:
    """The reward by a recipe; what is not given comes from the environment."""
    service = Service.of(url, recipe, api_key, timeout_s)

    async def score(state: TaskState, target: Target) -> Score:
        references = [text for text in target if text]
        reference = references[0] if len(references) == 1 else references or None
        one = await service.score_one(make_sample(_read_input(state.input), state.output.completion, reference))
        number = optional_number(one)
        if number is None:
            return Score.unscored(answer=state.output.completion, explanation=explain_failure(one))
        return Score(value=number, answer=state.output.completion, metadata=dict(one.components))

    return score


def _read_input(given: Any) -> Any:
    """The input for the wire: a text, or messages with their texts and images."""
    if isinstance(given, str):
        return given
    return [{"role": message.role, "content": _read_content(message.content)} for message in given]


def _read_content(content: Any) -> Any:
    if isinstance(content, str):
        return content
    return [
        {"type": "image_url", "image_url": {"url": part.image}} if part.type == "image" else part.model_dump()
        for part in content
        if part.type != "reasoning"
    ]
