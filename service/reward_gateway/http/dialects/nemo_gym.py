"""NeMo-Gym's resources server, which NeMo-RL, verifiers, prime-rl and axolotl speak.

A sample that cannot be scored is answered as NeMo-Gym's own judges answer it: 200 with ``reward: 0.0`` and
``_ng_failure_class``, which keeps the row out of the metrics and lets it be tried again. Clients that do not know that
mark (verifiers, axolotl) would train on the 0: for them set ``dialect_failures`` to ``{"nemo_gym": "error"}``.
"""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request

from reward_gateway.errors import GatewayError, Unscorable
from reward_gateway.sample.fields import SampleItem
from reward_gateway.sample.messages import ChatMessage

from .dialect import Dialect
from .policy import Policy
from .request import DialectRequest
from .texts import RawObject, echo, json_object, label, messages, plain_if_single

dialect = Dialect(
    Policy(
        name="nemo_gym",
        title="NeMo-Gym",
        clients=("NeMo-Gym", "NeMo-RL", "verifiers and prime-rl", "axolotl"),
        prefix="nemo_gym",
        on_invalid="marked",
        deadline_s=27.0,
    )
)
router = dialect.router

LARGEST = 1e300
"""Numbers beyond this are no metrics: their sum would be none."""

REFERENCES = ("reference", "ground_truth", "expected_answer", "answer", "label")
"""Where a dataset's row keeps what is right; the first that it has."""


class SeedSession(Struct):
    """A row of the dataset; nothing of it is kept."""


class VerifyRequest(Struct):
    """A row of the dataset, the request that the policy got and the response that it gave (OpenAI Responses)."""

    responses_create_params: RawObject
    response: RawObject
    reference: Any = None
    ground_truth: Any = None
    expected_answer: Any = None
    answer: Any = None
    label: Any = None
    reward: Any = None


class Verified(Struct):
    """The reward of one response; ``_ng_failure_class`` marks one that could not be scored, whose reward is 0.0."""

    responses_create_params: dict[str, Any]
    response: dict[str, Any]
    reward: float
    reward_components: dict[str, float | None]
    _ng_failure_class: str | UnsetType = UNSET
    _ng_failure_judge_error: str | UnsetType = UNSET


class AggregateMetrics(Struct):
    """Answers of ``/verify``."""

    verify_responses: list[dict[str, Any]]


@dialect.post("/seed_session", body=SeedSession, answer=dict[str, Any], example={"question": "What is 2 + 2?"})
async def seed_session(ask: DialectRequest, body: SeedSession) -> Any:
    """Begin an episode: there is nothing to remember."""
    return {}


EXAMPLE = {
    "responses_create_params": {"input": [{"role": "user", "content": "What is 2 + 2?"}]},
    "response": {
        "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "4"}]}]
    },
    "expected_answer": "4",
}


@dialect.post("/verify", body=VerifyRequest, answer=Verified, example=EXAMPLE)
async def verify(ask: DialectRequest, body: VerifyRequest) -> Any:
    """The reward of one response, its components, and both objects as they came."""
    known = (getattr(body, name) for name in REFERENCES)
    sample = SampleItem(
        prompt=_prompt(json_object(body.responses_create_params, "responses_create_params")),
        response=_response(json_object(body.response, "response")),
        reference=label(next((value for value in known if value is not None), None)),
    )
    both = {"responses_create_params": echo(body.responses_create_params), "response": echo(body.response)}
    reward = body.reward if isinstance(body.reward, str) else None
    try:
        scores = await ask.score([sample], reward)
    except GatewayError as error:
        if ask.fails or not (error.status >= 500 or isinstance(error, Unscorable)):
            raise
        return {**both, **_failed(error.message)}
    if scores.failed:
        return {**both, **_failed(scores.failed[0].message)}
    return {**both, "reward": scores.numbers()[0], "reward_components": scores.component_row(0)}


def _failed(message: str) -> dict[str, Any]:
    return {
        "reward": 0.0,
        "reward_components": {},
        "_ng_failure_class": "judge_failed",
        "_ng_failure_judge_error": message,
    }


@dialect.post(
    "/aggregate_metrics",
    body=AggregateMetrics,
    answer=dict[str, Any],
    example={"verify_responses": [{"reward": 1.0}]},
)
async def aggregate_metrics(ask: DialectRequest, body: AggregateMetrics) -> Any:
    """The mean of every numeric field over the rows that did not fail."""
    return _means([row for row in body.verify_responses if not row.get("_ng_failure_class")])


@dialect.get("/reverify_mode", answer=str)
async def reverify_mode(request: Request) -> Any:
    """Whether a row may be verified again: it may, nothing is kept."""
    return "stateless"


def _means(rows: list[Any]) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {}
    for row in rows:
        for name, held in row.items():
            columns.setdefault(name, []).append(held)
    means: dict[str, Any] = {}
    for name, held in columns.items():
        numbers = [float(x) for x in held if isinstance(x, int | float) and abs(x) < LARGEST]
        if numbers:
            means[name] = fmean(numbers)
        elif name == "reward_components" and all(isinstance(x, Mapping) for x in held):
            means[name] = _means(held)
    return means


def _prompt(params: Mapping[str, Any]) -> str | list[ChatMessage]:
    given = params.get("input", "")
    before = params.get("instructions")
    if isinstance(given, str) and not isinstance(before, str):
        return given
    said = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if isinstance(said, list):  # calls of tools and reasoning stand among the messages
        said = [item for item in said if not isinstance(item, dict) or "role" in item]
    found = messages(said, "responses_create_params.input")
    return plain_if_single([ChatMessage("system", before), *found] if isinstance(before, str) else found, "user")


def _response(response: Mapping[str, Any]) -> str:
    """All text that the policy put out, as OpenAI's ``output_text`` has it."""
    output = response.get("output")
    texts = []
    for item in output if isinstance(output, list) else ():
        content = item.get("content") if isinstance(item, dict) and item.get("type", "message") == "message" else None
        if isinstance(content, str):
            texts.append(content)
        for part in content if isinstance(content, list) else ():
            text = part.get("text") if isinstance(part, dict) else None
            texts.append(text if isinstance(text, str) else "")
    return "".join(texts)
