"""OpenAI's grader API: ``/fine_tuning/alpha/graders/run`` and ``/validate``. Point its SDK at this service.

A grader without a number for a sample fails the request; it never answers 0 instead. A sample that tries to end its own
section of a judge's question is flagged: ``metadata.flags``.
"""

from time import perf_counter
from typing import Any

from msgspec import Struct

from .dialect import Dialect
from .error_formats import OPENAI
from .grading import Grading, read_grader
from .policy import Policy
from .request import DialectRequest
from .texts import RawObject, echo_raw, json_object

dialect = Dialect(
    Policy(
        name="graders",
        title="OpenAI graders",
        clients=("OpenAI's SDK",),
        prefix="openai",
        deadline_s=110.0,
        error_format=OPENAI,
    )
)
router = dialect.router

EXAMPLE = {
    "type": "string_check",
    "name": "same",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.answer }}",
    "operation": "eq",
}
ERRORS = (
    "formula_parse_error",
    "sample_parse_error",
    "truncated_observation_error",
    "unresponsive_reward_error",
    "invalid_variable_error",
    "other_error",
    "python_grader_server_error",
    "python_grader_runtime_error",
    "model_grader_server_error",
    "model_grader_refusal_error",
    "model_grader_parse_error",
)
DETAILS = (
    "python_grader_server_error_type",
    "python_grader_runtime_error_details",
    "model_grader_server_error_details",
)


class RunGrader(Struct):
    """A grader, the model's output, and the row of the dataset."""

    grader: dict[str, Any]
    model_sample: str
    item: dict[str, Any] | None = None


class ValidateGrader(Struct):
    """A grader to check."""

    grader: RawObject


class GraderRun(Struct):
    """The grade of a sample."""

    reward: float
    sub_rewards: dict[str, float]
    model_grader_token_usage_per_model: dict[str, Any]
    metadata: dict[str, Any]


class GraderValidation(Struct):
    """The grader as it was sent."""

    grader: dict[str, Any]


@dialect.post(
    "/fine_tuning/alpha/graders/run",
    "/v1/fine_tuning/alpha/graders/run",
    body=RunGrader,
    answer=GraderRun,
    example={"grader": EXAMPLE, "model_sample": "4", "item": {"answer": "4"}},
)
async def run(request: DialectRequest, body: RunGrader) -> Any:
    """The grade of a sample."""
    grader = read_grader(body.grader)
    grading = Grading(request, body.model_sample, body.item)
    reward = await grading.grade(grader)
    return {
        "reward": reward,
        "sub_rewards": grading.scores,
        "model_grader_token_usage_per_model": {},
        "metadata": {
            "name": grader.name,
            "type": body.grader["type"],
            "execution_time": perf_counter() - request.started,
            "scores": grading.scores or {grader.name: reward},
            "sampled_model_name": None,
            "token_usage": None,
            "errors": {**dict.fromkeys(ERRORS, False), **dict.fromkeys(DETAILS)},
            **({"flags": grading.flags} if grading.flags else {}),
        },
    }


@dialect.post(
    "/fine_tuning/alpha/graders/validate",
    "/v1/fine_tuning/alpha/graders/validate",
    body=ValidateGrader,
    answer=GraderValidation,
    example={"grader": EXAMPLE},
)
async def validate(request: DialectRequest, body: ValidateGrader) -> Any:
    """The grader as it was sent, if it can run."""
    read_grader(json_object(body.grader, "grader"))
    return {"grader": echo_raw(body.grader)}
