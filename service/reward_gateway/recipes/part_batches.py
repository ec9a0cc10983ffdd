"""Batches as a recipe reads them: references that are lists, and the part of a response that a judge is shown."""

import json
from dataclasses import replace
from typing import Any

from reward_gateway.operations.reading.response import Part, prompt_opens_reasoning, read_response
from reward_gateway.sample import Batch, Text

from .plan import Plan


def read_json_references(batch: Batch) -> Batch:
    """The batch with every reference that holds a JSON list as that list."""
    if batch.references is None:
        return batch
    return replace(batch, references=[_read_list(reference) for reference in batch.references])


def _read_list(reference: Any) -> Any:
    if not isinstance(reference, str) or not reference.lstrip().startswith("["):
        return reference
    try:
        value = json.loads(reference)
    except (ValueError, RecursionError):
        return reference
    return value if isinstance(value, list) else reference


def select_part(plan: Plan, batch: Batch, part: Part) -> Batch:
    """The batch with one part of each response in place of the response, as models and judges are shown it."""
    if part == "whole":
        return batch
    responses: list[Text | None] = [
        None
        if response is None
        else read_response(
            response, opened=plan.reasoning_opened or prompt_opens_reasoning(batch.prompts[i]), calls=True
        ).part(part)
        for i, response in enumerate(batch.responses)
    ]
    return replace(batch, responses=responses)
