"""NeMo-Gym's resources server, which NeMo-RL, verifiers, prime-rl and axolotl speak.

The body is a row of the trainer's own data set, so no key of it chooses the recipe: the address does
(``/r/NAME/verify``). What the row and its ``verifier_metadata`` say in short texts and numbers is the metadata of its
sample.

A sample that cannot be scored is an HTTP error. NeMo-Gym's own judges answer 200 with ``reward: 0.0``,
``_ng_failure_class`` and ``mask_sample`` instead, which keep the row out of the metrics and allow a retry; but only
NeMo-Gym's collector of rollouts reads all of that. NeMo-RL takes such a row out of the loss and leaves the 0 in its
group's baseline; verifiers and axolotl train on the 0. The setting ``nemo_gym_failures: body`` answers failures so.

``/global_config_dict_yaml`` is that of NeMo-Gym's head server, where axolotl's plugin looks for resources servers:
every recipe is one, under its name.
"""

from collections.abc import Mapping
from statistics import fmean
from typing import Any
from urllib.parse import quote

import yaml
from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request

from reward_gateway.errors import GatewayError, Unscorable
from reward_gateway.sample.fields import SampleItem
from reward_gateway.sample.labels import read_label
from reward_gateway.sample.messages import ChatMessage

from ..call import call_of
from ..dependencies import dependencies_of, json_response
from .dialect import Dialect
from .policy import Policy
from .request import DialectRequest
from .response_items import read_items
from .row_metadata import write_metadata
from .texts import RawObject, echo_raw, json_object, plain_if_single

dialect = Dialect(
    Policy(
        name="nemo_gym",
        title="NeMo-Gym",
        clients=("NeMo-Gym", "NeMo-RL", "verifiers and prime-rl", "axolotl"),
        prefix="nemo_gym",
        deadline_s=27.0,
        one_sample=True,
    )
)
router = dialect.router

LARGEST = 1e300
"""Larger numbers are not averaged: their sum could overflow."""

REFERENCES = ("reference", "ground_truth", "expected_answer", "answer", "label")
"""Keys of a dataset row that may hold the reference; the first that is present is used."""


class SeedSession(Struct):
    """A row of the dataset, or an episode of an environment server (NeMo-Gym 0.7). Neither is stored."""

    resources_session_id: str | None = None


class CloseSession(Struct):
    """An episode of an environment server ends."""

    resources_session_id: str


class VerifyRequest(Struct):
    """A row of the dataset, the policy's request and the policy's response (OpenAI Responses)."""

    responses_create_params: RawObject
    response: RawObject
    reference: Any = None
    ground_truth: Any = None
    expected_answer: Any = None
    answer: Any = None
    label: Any = None


class Verified(Struct):
    """The reward of one response, its components, and how rules judged (1 or 0 per name).

    With ``nemo_gym_failures: body``, the further fields mark one that could not be scored, whose reward is 0.0, each
    for the versions of NeMo-Gym and NeMo-RL that read it.
    """

    responses_create_params: dict[str, Any]
    response: dict[str, Any]
    reward: float
    reward_components: dict[str, float | None]
    verdicts: dict[str, float | None] | UnsetType = UNSET
    _ng_failure_class: str | UnsetType = UNSET
    _ng_failure_judge_error: str | UnsetType = UNSET
    mask_sample: bool | UnsetType = UNSET
    failure_kind: str | UnsetType = UNSET
    failure_reason: str | UnsetType = UNSET
    instance_config: dict[str, bool] | UnsetType = UNSET


class AggregateMetrics(Struct):
    """Responses of ``/verify``."""

    verify_responses: list[dict[str, Any]]


@dialect.post("/seed_session", body=SeedSession, answer=dict[str, Any], example={"question": "What is 2 + 2?"})
async def seed_session(request: DialectRequest, body: SeedSession) -> Any:
    """Begin an episode. The gateway keeps no session; an environment server wants its identifier back, and a cookie."""
    if body.resources_session_id is None:
        return {}
    answer = json_response({"resources_session_id": body.resources_session_id})
    answer.set_cookie("session", "stateless", httponly=True, samesite="strict")
    return answer


@dialect.post(
    "/close_session", body=CloseSession, answer=dict[str, str], example={"resources_session_id": "resources-session-1"}
)
async def close_session(request: DialectRequest, body: CloseSession) -> Any:
    """End an episode, of which nothing was kept."""
    return {"resources_session_id": body.resources_session_id}


EXAMPLE = {
    "responses_create_params": {"input": [{"role": "user", "content": "What is 2 + 2?"}]},
    "response": {
        "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "4"}]}]
    },
    "expected_answer": "4",
}


@dialect.post("/verify", body=VerifyRequest, answer=Verified, example=EXAMPLE)
async def verify(request: DialectRequest, body: VerifyRequest) -> Any:
    """The reward of one response, its components, and both objects as they were sent."""
    sample = await read_row(request, body)
    echoed = {"responses_create_params": echo_raw(body.responses_create_params), "response": echo_raw(body.response)}
    try:
        scores = await request.score([sample])
    except GatewayError as error:
        unscored = error.status >= 500 or isinstance(error, Unscorable)
        if request.fails or request.settings.nemo_gym_failures != "body" or not unscored:
            raise
        return {**echoed, **_mark_failed(error.message)}
    rows = {"reward_components": scores.component_row(0), "verdicts": scores.verdict_row(0)}
    return {**echoed, "reward": scores.numbers()[0], **rows}


async def read_row(request: DialectRequest, body: VerifyRequest) -> SampleItem:
    """The sample of a row, whose further keys are its metadata. Raises InvalidRequest where its objects are not
    OpenAI's."""
    row = await request.read_rows(request.plan())
    references = (getattr(body, name) for name in REFERENCES)
    return SampleItem(
        prompt=_read_prompt(json_object(body.responses_create_params, "responses_create_params")),
        response=_read_response(json_object(body.response, "response")),
        reference=read_label(next((value for value in references if value is not None), None)),
        metadata=write_metadata(row, (row or {}).get("verifier_metadata"), without=REFERENCES),
    )


def _mark_failed(message: str) -> dict[str, Any]:
    return {
        "reward": 0.0,
        "reward_components": {},
        "_ng_failure_class": "judge_failed",
        "_ng_failure_judge_error": message,
        "mask_sample": True,
        "failure_kind": "judge_failed",
        "failure_reason": message,
        "instance_config": {"mask_sample": True},
    }


@dialect.post(
    "/aggregate_metrics",
    body=AggregateMetrics,
    answer=dict[str, Any],
    example={"verify_responses": [{"reward": 1.0}]},
)
async def aggregate_metrics(request: DialectRequest, body: AggregateMetrics) -> Any:
    """The mean of every numeric field over the rows that did not fail, as it is and as NeMo-Gym names it."""
    kept = [row for row in body.verify_responses if not (row.get("_ng_failure_class") or row.get("mask_sample"))]
    means = _average_fields(kept)
    verdicts: dict[str, float] = means.get("verdicts", {})
    named = {f"mean/{name}": mean for name, mean in (means | verdicts).items() if isinstance(mean, float)}
    headline = {name: named[name] for name in ("mean/reward",) if name in named}
    return {**means, "group_level_metrics": [], "agent_metrics": named, "key_metrics": headline} if means else {}


@dialect.get("/reverify_mode", answer=str)
async def reverify_mode(request: Request) -> Any:
    """Whether a row may be verified again: yes, verification is stateless."""
    return "stateless"


@dialect.get("/global_config_dict_yaml", answer=str)
async def global_config_dict_yaml(request: Request) -> Any:
    """Every recipe as a resources server of its name, in YAML in a JSON string; behind ``/r/NAME/`` that one alone.

    Host and port are those that the request was sent to. NeMo-Gym knows no paths, and its clients write ``host:port``
    as it stands here: the port goes on with the recipe's path.
    """
    call, gateway = call_of(request.scope), dependencies_of(request).gateway
    if call.recipe is None:
        names = [plan.name for plan in gateway.book if plan.returns == "scalar"]
    else:
        await dependencies_of(request).intake.learn_models(None, call.recipe)
        gateway.get_plan(call.recipe)  # raises NotFound
        names = [call.recipe]
    host, colon, port = request.url.netloc.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = request.url.netloc, "443" if request.url.scheme == "https" else "80"
    run = f"/run/{quote(call.run, safe='')}" if call.run else ""
    servers = {
        name: {"resources_servers": {name: {"host": host, "port": f"{port}{run}/r/{quote(name, safe='')}/axolotl"}}}
        for name in names
    }
    return yaml.safe_dump(servers, sort_keys=False, allow_unicode=True)


def _average_fields(rows: list[Any]) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {}
    for row in rows:
        for name, values in row.items():
            columns.setdefault(name, []).append(values)
    means: dict[str, Any] = {}
    for name, values in columns.items():
        numbers = [float(x) for x in values if isinstance(x, int | float) and abs(x) < LARGEST]
        if numbers:
            means[name] = fmean(numbers)
        elif name in ("reward_components", "verdicts") and all(isinstance(x, Mapping) for x in values):
            means[name] = _average_fields(values)
    return means


def _read_prompt(params: Mapping[str, Any]) -> str | list[ChatMessage] | None:
    input_items = params.get("input")
    instructions = params.get("instructions")
    if input_items is None or (isinstance(input_items, str) and not isinstance(instructions, str)):
        return input_items
    message_items = [{"role": "user", "content": input_items}] if isinstance(input_items, str) else input_items
    conversation = read_items(message_items, "responses_create_params.input")
    return plain_if_single(
        [ChatMessage("system", instructions), *conversation] if isinstance(instructions, str) else conversation, "user"
    )


def _read_response(response: Mapping[str, Any]) -> str | list[ChatMessage] | None:
    """The policy's output: its text where it is one plain message, else its turns, with calls and what tools said.

    An output without items is an empty response; None: there is no output.
    """
    output = response.get("output")
    if output is None:
        return None
    answer = plain_if_single(read_items(output, "response.output"), "assistant")
    return "" if answer is None else answer
