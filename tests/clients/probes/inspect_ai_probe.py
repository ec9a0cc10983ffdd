"""inspect_ai: eval() scores what a solver left in the state; a scorer that raises is the sample's error.

Every second input is a message with parts, as data sets with pictures have them.
"""

import tempfile
from typing import Any

from inspect_ai import Task
from inspect_ai import eval as evaluate
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageUser, ContentText, ModelOutput
from inspect_ai.solver import solver
from reward_gateway.client.adapters.inspect_ai import reward
from run import Call

PACKAGE = "inspect-ai"


@solver
def answer() -> Any:
    async def solve(state: Any, generate: Any) -> Any:
        state.output = ModelOutput.from_content("mockllm/model", state.metadata["response"])
        return state

    return solve


def score(call: Call) -> list[float | None]:
    rows = [
        Sample(
            id=i,
            input=[ChatMessageUser(content=[ContentText(text=sample["prompt"])])] if i % 2 else sample["prompt"],
            target=sample.get("reference") or "",
            metadata={"response": sample["response"]},
        )
        for i, sample in enumerate(call.samples)
    ]
    task = Task(dataset=rows, solver=answer(), scorer=reward(call.recipe, timeout_s=2.0))
    (log,) = evaluate(
        task, model="mockllm/model", log_dir=tempfile.mkdtemp(), display="none", fail_on_error=False, log_level="error"
    )
    done = {sample.id: sample for sample in log.samples}
    if errors := [done[i].error for i in range(len(rows)) if done[i].error]:
        raise RuntimeError(f"{len(errors)} samples have an error: {errors[0].message}")
    return [done[i].scores["reward"].value for i in range(len(rows))]
