"""A trial: a form of Try as the request that the API would get, scored without leaving a trace in state or runs."""

import asyncio
import base64
import json
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.datastructures import FormData, UploadFile

from reward_gateway.errors import GatewayError, InvalidRequest
from reward_gateway.intake.decode import decode_as
from reward_gateway.intake.request import ScoreRequest
from reward_gateway.recipes.plan import Plan
from reward_gateway.recipes.trace import Bar, Trace, explain_reward
from reward_gateway.sample import Scored
from reward_gateway.scoring.request_scope import RequestScope

from .page import Visit

RESPONSES = 8
"""Maximum responses side by side."""

GROUP = "side by side"
"""The group of responses without a prompt, by which they would be one otherwise."""

RUN = "console:try"
"""The run of trials: what a recipe keeps of its samples is never mixed with a training run's."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a form asks for.

    Attributes:
        recipes: one or two names.
        samples: one per response, as the API takes them.
        shown: the same with short names in the place of images, to be read and copied.
    """

    recipes: tuple[str, ...]
    samples: list[dict[str, Any]]
    shown: list[dict[str, Any]]

    def body(self, recipe: str) -> dict[str, Any]:
        """The body of ``POST /v1/score``, as it is shown."""
        return {"reward": recipe, "samples": self.shown}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A recipe's answer to a trial.

    Attributes:
        bars: by response: the steps to its reward.
    """

    plan: Plan
    scored: Scored
    trace: Trace
    bars: list[list[Bar]]


async def read_trial(form: FormData) -> Trial:
    """The trial that a form asks for. Raises InvalidRequest with the field at fault."""
    recipes = tuple(dict.fromkeys(filter(None, (_text(form, "recipe"), _text(form, "other")))))
    if not recipes:
        raise InvalidRequest("choose a recipe", param="recipe")
    common: dict[str, Any] = _read_more(_text(form, "more"))
    prompt = _text(form, "prompt")
    if _text(form, "prompt_is") == "messages":
        common["prompt"] = _read_json(prompt, "prompt", list)
    elif prompt:
        common["prompt"] = prompt
    if reference := _text(form, "reference"):
        common["reference"] = _read_reference(reference)
    shown = dict(common)
    for name in ("images", "frames"):
        files = [file for file in form.getlist(name) if isinstance(file, UploadFile) and file.filename]
        if files:
            contents = [await file.read() for file in files]
            common[name] = [base64.b64encode(content).decode() for content in contents]
            shown[name] = [f"<base64 of {file.filename}>" for file in files]
    texts = [text.replace("\r\n", "\n") for text in form.getlist("response") if isinstance(text, str)]
    texts = [text for text in texts if text] or texts[:1]
    responses = [_read_messages(text) if _text(form, "prompt_is") == "messages" else text for text in texts]
    if len(responses) > 1 and "prompt" not in common and "group" not in common:
        common["group"] = shown["group"] = GROUP  # responses side by side are compared, whatever they answer
    if not responses or len(responses) > RESPONSES:
        raise InvalidRequest(f"write one to {RESPONSES} responses", param="response")
    return Trial(
        recipes,
        [{**common, "response": response} for response in responses],
        [{**shown, "response": response} for response in responses],
    )


async def run_trial(visit: Visit, trial: Trial) -> list[Outcome | GatewayError]:
    """What each recipe answers, or why it does not."""
    return list(await asyncio.gather(*(_score(visit, trial, recipe) for recipe in trial.recipes)))


async def _score(visit: Visit, trial: Trial, recipe: str) -> Outcome | GatewayError:
    parts = visit.parts
    body = orjson.dumps({"reward": recipe, "samples": trial.samples})
    scope = RequestScope(visit.key.caller, RUN)
    trace = Trace()
    try:
        request = decode_as(ScoreRequest, parts.settings.max_nesting, body, check=True)
        prepared = await parts.intake.prepare(request, scope, asyncio.get_running_loop().time(), body_bytes=len(body))
        options = prepared.options
        options.trace, options.is_trial = trace, True
        plan = parts.gateway.get_plan(prepared.reward)
        scored = await parts.gateway.score_by(plan, prepared.batch, options)
    except GatewayError as error:
        return error
    bars = [explain_reward(plan, scored, trace, row) for row in range(len(trial.samples))]
    return Outcome(plan, scored, trace, bars)


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""


def _read_messages(text: str) -> Any:
    """A response: the messages that it is the JSON of, else the text."""
    try:
        value = json.loads(text) if text.lstrip()[:1] == "[" else None
    except ValueError:
        return text
    return value if isinstance(value, list) and all(isinstance(each, dict) for each in value) else text


def _read_more(text: str) -> dict[str, Any]:
    return _read_json(text, "more", dict) if text.strip() else {}


def _read_json(text: str, name: str, kind: type) -> Any:
    try:
        value = json.loads(text)
    except ValueError as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidRequest(f"{name}: this is not JSON{where}", param=name) from None
    if not isinstance(value, kind):
        raise InvalidRequest(f"{name}: write a JSON {'list' if kind is list else 'object'}", param=name)
    return value


def _read_reference(text: str) -> Any:
    """A text, or the list or object that it is the JSON of."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            value = json.loads(text)
        except ValueError:
            return text
        if isinstance(value, dict | list):
            return value
    return text
