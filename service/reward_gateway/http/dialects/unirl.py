"""UniRL's reward service: several recipes per request, each with a number or with the reason why it has none.

``history`` holds turns: their texts are the prompt, their images the sample's images, in order. Videos are not decoded
and paths are never read: such a sample gets a reason in ``errors``.
"""

import asyncio
from typing import Any

from msgspec import Struct
from starlette.requests import Request

from reward_gateway.errors import GatewayError
from reward_gateway.intake.request import SampleItem

from ..dependencies import dependencies_of
from .dialect import Dialect
from .error_formats import DETAIL
from .policy import Policy
from .request import DialectRequest

dialect = Dialect(
    Policy(
        name="unirl",
        title="UniRL",
        clients=("UniRL",),
        prefix="unirl",
        on_invalid="absent",
        deadline_s=270.0,
        error_format=DETAIL,
    )
)
router = dialect.router


class Turn(Struct):
    """A turn of a request: a text, an image in base64."""

    text: str | None = None
    image_b64: str | None = None
    video_b64: str | None = None
    video_path: str | None = None


class RewardRequest(Struct):
    """One sample and the recipes to score it with; the default recipe if none is named."""

    history: list[Turn]
    required_rewards: list[str] | None = None
    metadata: Any = None

    @property
    def has_video(self) -> bool:
        return any(turn.video_b64 is not None or turn.video_path is not None for turn in self.history)

    def to_sample(self) -> SampleItem:
        """The sample: prompt and images. The images are the response."""
        texts = [turn.text for turn in self.history if turn.text]
        images: list[Any] = [turn.image_b64 for turn in self.history if turn.image_b64 is not None]
        return SampleItem(prompt="\n".join(texts), images=images or None)


class ScoreRequests(Struct):
    """Samples."""

    requests: list[RewardRequest]


class ScoredRequests(Struct):
    """For each sample its scores by recipe, and the reasons for missing scores by recipe."""

    results: list[dict[str, dict[str, float]]]
    errors: list[dict[str, str]]


class RewardNames(Struct):
    """The recipes that can be named in a request."""

    rewards: list[str]


@dialect.post(
    "/score",
    body=ScoreRequests,
    answer=ScoredRequests,
    example={"requests": [{"history": [{"text": "a red kite"}], "required_rewards": ["brevity"]}]},
    keys=[("requests",)],
)
async def score(request: DialectRequest, body: ScoreRequests) -> Any:
    """Scores by recipe for each sample; a missing score has its reason in errors."""
    results: list[dict[str, Any]] = [{} for _ in body.requests]
    errors: list[dict[str, str]] = [{} for _ in body.requests]
    rows: dict[str, list[int]] = {}
    for i, reward_request in enumerate(body.requests):
        for name in dict.fromkeys(reward_request.required_rewards or [request.plan().name]):
            if reward_request.has_video:
                errors[i][request.plan(name).name] = "videos are not decoded; send images"
            else:
                rows.setdefault(request.plan(name).name, []).append(i)

    async def score_recipe(name: str, rows_of_recipe: list[int]) -> GatewayError | None:
        try:
            scores = await request.score([body.requests[i].to_sample() for i in rows_of_recipe], name)
        except GatewayError as error:
            if error.status < 500:
                raise
            errors_of = dict.fromkeys(rows_of_recipe, error.message)
            failure: GatewayError | None = error
        else:
            errors_of = {rows_of_recipe[k]: reason.message for k, reason in scores.failed.items()}
            failure = None
            for i, number in zip(rows_of_recipe, scores.numbers(), strict=True):
                if i not in errors_of:
                    results[i][name] = {name: number}
        for i, message in errors_of.items():
            errors[i][name] = message
        return failure

    failures = await asyncio.gather(*(score_recipe(name, rows_of_recipe) for name, rows_of_recipe in rows.items()))
    if failures and None not in failures and failures[0] is not None:
        raise failures[0]
    return {"results": results, "errors": errors}


@dialect.get("/rewards", answer=RewardNames)
async def rewards(request: Request) -> Any:
    """The recipes that can be named in a request."""
    return {"rewards": [plan.name for plan in dependencies_of(request).gateway.book]}
