"""Two recipes on the same samples, a loaded one and one that is not saved: both by the gateway's own scoring.

The gateway that scores them has the same models, cache and judges as the one that serves, but nobody observes it: a
trial counts in no metric, window or run, and stores no state.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from reward_gateway.errors import GatewayError, InvalidRequest
from reward_gateway.experiments.comparison import Comparison
from reward_gateway.gateway import Gateway
from reward_gateway.intake.decode import decode_as
from reward_gateway.intake.request import ScoreRequest
from reward_gateway.intake.score_intake import ScoreIntake
from reward_gateway.recipes.book import RecipeBook
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample import FloatArray, Scored
from reward_gateway.scoring.request_scope import RequestScope

from .page import Visit

RUN = "console:recipes"
"""The run of trials: a recipe that keeps something of its samples reads nothing of a training run."""

TRIAL_S = 30.0
"""Maximum seconds of a trial."""

MOST_SAMPLES = 256


@dataclass(frozen=True, slots=True)
class Side:
    """What one recipe says of the samples, or why it says nothing."""

    plan: Plan
    answer: Scored | GatewayError

    @property
    def scored(self) -> Scored | None:
        return self.answer if isinstance(self.answer, Scored) else None


@dataclass(frozen=True, slots=True)
class OldAndNew:
    """The samples with both answers."""

    samples: list[Any]
    old: Side
    new: Side

    def report(self) -> dict[str, Any]:
        """How the order of the samples differs; as experiments report it. Empty if one side has no answer."""
        old, new = self.old.scored, self.new.scored
        if old is None or new is None:
            return {}
        before, after = _rank_by(old), _rank_by(new)
        both = np.isfinite(before) & np.isfinite(after)
        groups = [_name_group(sample) for sample, scored in zip(self.samples, both.tolist(), strict=True) if scored]
        comparison = Comparison()
        comparison.add_samples((old.version, new.version), groups, before[both], after[both])
        return comparison.report()


async def compare(visit: Visit, old: Plan, new: Plan, samples: list[Any]) -> OldAndNew:
    """Score samples by both recipes.

    Raises:
        InvalidRequest, TooLarge: they are no samples.
        PermissionDenied: the session's key may use some recipes only, and a draft is none of them.
    """
    visit.parts.gateway.check_unrestricted()
    answers = await asyncio.gather(_score(visit, old, samples), _score(visit, new, samples))
    for answer in answers:
        if isinstance(answer, InvalidRequest) and (answer.param or "").startswith("samples"):
            raise answer
    return OldAndNew(samples, Side(old, answers[0]), Side(new, answers[1]))


async def _score(visit: Visit, plan: Plan, samples: list[Any]) -> Scored | GatewayError:
    parts = visit.parts
    trial = Gateway(RecipeBook({plan.name: plan}, plan.name), parts.gateway.runtime)
    body = orjson.dumps({"reward": plan.name, "samples": samples})
    scope = RequestScope(visit.key.caller, RUN)
    try:
        request = decode_as(ScoreRequest, parts.settings.max_nesting, body, check=True)
        now = asyncio.get_running_loop().time()
        prepared = await ScoreIntake(trial, parts.settings).prepare(request, scope, now, TRIAL_S, body_bytes=len(body))
        options = prepared.options
        options.is_trial = True
        if plan.on_invalid == "fail":
            options.on_invalid = "null"  # so that each sample says what is wrong with it
        return await trial.score(prepared.batch, plan.name, options)
    except GatewayError as error:
        return error


def _rank_by(scored: Scored) -> FloatArray:
    """What a recipe says of each sample, before it compares them with each other."""
    return scored.reward if scored.reward_raw is None else scored.reward_raw


def read_samples(text: str) -> list[Any]:
    """The samples of a text: a JSON list, a request's body, or one JSON object per line. Raises InvalidRequest."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        if len(lines) < 2 or not _is_json(lines[0][1]):
            raise _not_json(error.lineno, error) from None
        value = [_read_line(number, line) for number, line in lines]
    if isinstance(value, dict):
        value = value.get("samples", [value])
    if not isinstance(value, list) or not value:
        raise InvalidRequest("write the samples as a JSON list, or as one JSON object per line", param="samples")
    if len(value) > MOST_SAMPLES:
        raise InvalidRequest(f"try at most {MOST_SAMPLES} samples at once: there are {len(value)}", param="samples")
    return value


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _read_line(number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise _not_json(number, error) from None


def _not_json(line: int, error: json.JSONDecodeError) -> InvalidRequest:
    return InvalidRequest(f"line {line}, column {error.colno} of the samples is not JSON: {error.msg}", param="samples")


def _name_group(sample: Any) -> str:
    """Samples of one prompt are compared with each other."""
    return json.dumps(sample.get("group") or sample.get("prompt")) if isinstance(sample, dict) else ""
