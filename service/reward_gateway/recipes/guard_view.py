"""What the guards of a recipe look at."""

from collections.abc import Callable, Mapping, Sequence

from reward_gateway.operations.guards import GuardView
from reward_gateway.operations.reading.alternatives import accepted_texts
from reward_gateway.sample import Batch, FloatArray, own_turns, shown_text

from .plan import GuardPlan
from .rows import Rows


def show_guards(
    guards: Sequence[GuardPlan],
    batch: Batch,
    values: Mapping[str, FloatArray],
    rows: Rows,
    read_groups: Callable[[], Sequence[str]],
) -> GuardView:
    """A view of a batch; with prompts and groups only where one of the guards asks for these.

    Args:
        values: of components, [n] each.
    """
    references, unprompted = batch.references, batch.without_prompt
    prompts: list[str | None] = []
    if any("prompt" in plan.reads for plan in guards):
        prompts = [None if i in unprompted else shown_text(prompt) for i, prompt in enumerate(batch.prompts)]
    return GuardView(
        responses=["" if response is None else shown_text(own_turns(response)) for response in batch.responses],
        references=[()] * batch.size if references is None else [accepted_texts(each) for each in references],
        components=values,
        flags=rows.flags,
        prompts=prompts,
        groups=read_groups() if any(plan.guard.compares for plan in guards) else (),
        without_response=frozenset(i for i, response in enumerate(batch.responses) if response is None),
        settled=frozenset(rows.invalid),
    )
