"""A number for each step of an answer, by a process reward model that is hosted here."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from reward_gateway.sample import Batch, Invalid, shown_text

from ..columns import Columns
from ..effects import Effectful, ScoreSteps, Vector, perform
from ..names import HostedModel
from ..outcome import Outcome, invalid_field
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source("Let's Verify Step by Step", "https://arxiv.org/abs/2305.20050")

SEPARATOR = "\n\n"


class Params(OperationParams):
    model: HostedModel = Field(
        min_length=1,
        description="Hosted process reward model; `reward-gateway models add` makes them of checkpoints.",
    )


class Item(OperationItem):
    prompt: str | None = Field(None, description="The question; none is an empty one.")
    messages: list[dict[str, Any]] | None = Field(
        None, description="Chat messages, the last one the answer: in place of prompt and response."
    )
    response: str | None = Field(None, description="The answer, which the model cuts into steps at its own separator.")
    steps: list[str] | None = Field(None, description="The answer's steps, where they are known, in place of that.")
    step_scores: list[float] | None = Field(None, description="The numbers themselves, where the steps have them.")


@operation("score", "process_reward", item=Item, params=Params, source=SOURCE, fidelity="recalled", returns="vector")
def process_reward(columns: Columns, params: Params) -> Effectful[Outcome]:
    """A number for each step of an answer, by a hosted process reward model.

    rewards_t = what the model says of step t, on the model's own scale (its card says which: mostly the probability
    that the step is right). Give `response`, and the model cuts it where its card says; or `steps`, and they are judged
    as they are cut. Context is `prompt`, or what stands in `messages` before the answer. Items that bring `step_scores`
    are answered with them, and the model is not asked.

    Not every step judged (the answer is over the model's limit) is an item error where `steps` were given, and the
    flag `truncated` otherwise. No step: an item error. For one number per answer, name the model itself, with
    one of its dimensions, as a recipe's component, or shape these by `transform/aggregate`; for a reward per step, end
    in a credit assignment (`credit/steps_and_outcome`). Details: `model_version`.
    """
    items = columns.rows(Item.model_fields)
    rewards: list[Any] = [item["step_scores"] for item in items]
    versions: list[str | None] = [None] * len(items)
    outcome = Outcome(rewards=rewards, details={"model_version": versions})
    asked = {}
    for i, item in enumerate(items):
        if rewards[i] is None:
            sample = _build_sample(item)
            if isinstance(sample, Invalid):
                outcome.invalid[i] = sample
            else:
                asked[i] = sample
    if not asked:
        return outcome
    prompts, responses, steps = zip(*asked.values(), strict=True)
    batch = Batch([str(i) for i in asked], list(prompts), list(responses), steps=list(steps))
    answers: list[Vector | Invalid] = yield from perform(ScoreSteps(params.model, batch))
    for (i, (_, _, given)), answer in zip(asked.items(), answers, strict=True):
        if isinstance(answer, Invalid):
            outcome.invalid[i] = answer
        elif given is not None and len(answer.values) != len(given):
            why = f"the model judged {len(answer.values)} of {len(given)} steps"
            outcome.invalid[i] = invalid_field(f"{why}: the answer is over its limit, or it reads no steps", "steps")
        else:
            rewards[i] = answer.values.tolist()
            versions[i] = answer.version
            outcome.flags[i] = answer.flags
    return outcome


def _build_sample(item: Mapping[str, Any]) -> tuple[Any, str, list[str] | None] | Invalid:
    """Prompt, response and steps as the model reads them."""
    prompt, response, steps = item["prompt"] or "", item["response"], item["steps"]
    if item["messages"]:
        *before, last = item["messages"]
        if last.get("role") != "assistant" or not (isinstance(last.get("content"), str) or last.get("tool_calls")):
            return invalid_field("the last message is no answer of the assistant's, in words or calls", "messages")
        prompt, response = before or "", shown_text([last])
    if steps is not None:
        if not steps or not all(step.strip() for step in steps):
            return invalid_field("there are no steps, or an empty one", "steps")
        return prompt, response if response is not None else SEPARATOR.join(steps), steps
    if response is None:
        return invalid_field("give response, messages, steps or step_scores")
    return prompt, response, None
