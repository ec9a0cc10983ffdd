"""LangSmith: evaluate() hands an evaluator the inputs, outputs and reference outputs of a run, without an upload."""

import os
import uuid
from datetime import UTC, datetime
from typing import Any

os.environ["LANGSMITH_TRACING"] = "false"

from langsmith import schemas
from langsmith.evaluation._runner import _resolve_evaluators
from reward_gateway.client.adapters.langsmith import make_evaluator
from run import Call

PACKAGE = "langsmith"


def score(call: Call) -> list[float | None]:
    (evaluator,) = _resolve_evaluators([make_evaluator(call.recipe)])
    return [evaluator.evaluate_run(*_run_of(sample)).score for sample in call.samples]


def _run_of(sample: dict[str, Any]) -> tuple[Any, Any]:
    now = datetime.now(UTC)
    example = schemas.Example(
        id=uuid.uuid4(),
        inputs={"question": sample["prompt"]},
        outputs={"answer": sample["reference"]} if sample.get("reference") is not None else {},
        dataset_id=uuid.uuid4(),
        created_at=now,
    )
    run = schemas.Run(
        id=uuid.uuid4(),
        trace_id=uuid.uuid4(),
        name="target",
        run_type="chain",
        start_time=now,
        inputs=example.inputs,
        outputs={"output": sample["response"]},
        dotted_order="",
    )
    return run, example
