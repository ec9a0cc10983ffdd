"""Samples that lack what a recipe reads: they are refused, never scored without it."""

from collections.abc import Iterable, Mapping

from reward_gateway.operations.registry import Comparison
from reward_gateway.sample import Batch, Invalid
from reward_gateway.sample.fields import MEDIA

from .group_lengths import find_missing_lengths
from .plan import Plan

NO_RESPONSE = Invalid("missing_field", "the sample has no response", param="response")
NO_PROMPT = Invalid(
    "missing_field",
    "this reward reads the prompt, and the sample has none: send `prompt` (an empty text is one), or set "
    "`optional: [prompt]` in the recipe",
    param="prompt",
)
NO_GROUP = Invalid(
    "missing_field",
    "this reward compares the samples of a group, and the sample has neither a group nor a prompt: send `group` or "
    "`prompt`",
    param="group",
)
GROUP_OF_ONE = Invalid(
    "group_of_one",
    "this reward compares the samples of a group, and this one is alone in its group: send the other samples in the "
    "same request, or set `group: {cohort: …}` (samples of several requests), `group: {single: raw}` or "
    "`group: {single: zero}` in the recipe",
)
REQUEST_OF_ONE = Invalid(
    "group_of_one",
    "this reward compares the samples of a request, and this one is alone in its request: send several samples, or set "
    "`group: {single: raw}` or `group: {single: zero}` in the recipe",
)

REASONS_OF_ONE: Mapping[Comparison, Invalid] = {"group": GROUP_OF_ONE, "request": REQUEST_OF_ONE}


def find_missing_context(plan: Plan, batch: Batch) -> dict[int, Invalid]:
    """Row -> reason, for the samples that cannot be scored whatever the models say."""
    invalid: dict[int, Invalid] = {}
    if plan.needs_response and None in batch.responses:
        _add_rows(invalid, (i for i, response in enumerate(batch.responses) if response is None), NO_RESPONSE)
    if batch.without_prompt:
        if plan.needs_prompt:
            _add_rows(invalid, sorted(batch.without_prompt), NO_PROMPT)
        if plan.needs_group:
            _add_rows(invalid, batch.without_group(), NO_GROUP)
    for row, reason in find_missing_lengths(plan.group, batch).items():
        invalid.setdefault(row, reason)
    return invalid


def find_ignored_media(plan: Plan, batch: Batch) -> list[int]:
    """Rows of the samples with images or frames that nothing in the recipe reads."""
    columns = [column for name in MEDIA if name not in plan.reads and (column := batch.column(name)) is not None]
    return [i for i in range(batch.size) if any(column[i] for column in columns)] if columns else []


def _add_rows(invalid: dict[int, Invalid], rows: Iterable[int], reason: Invalid) -> None:
    for i in rows:
        invalid.setdefault(i, reason)
