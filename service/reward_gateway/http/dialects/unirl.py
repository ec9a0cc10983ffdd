"""UniRL's reward service: several recipes per request, each with a number or with the reason why it has none.

``history`` holds turns: their texts are the prompt, their images the sample's images, in order. Videos are not decoded
and paths are never read: such a sample gets a reason in ``errors``.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from starlette.requests import Request

from reward_gateway.errors import GatewayError
from reward_gateway.intake.request import SampleItem

from ..dependencies import dependencies_of
from .dialect import Dialect
from .error_formats import DETAIL
from .policy import Policy
from .request import DialectRequest, Scores
from .row_metadata import write_metadata

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
        prompt = "\n".join(texts) if texts else None
        return SampleItem(prompt=prompt, images=images or None, metadata=write_metadata(self.metadata))


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
            await request.learn_models(name)
            request.plan(name)  # refuses an unknown name; scores are answered under the name that was asked for
            if reward_request.has_video:
                errors[i][name] = "videos are not decoded; send images"
            else:
                rows.setdefault(name, []).append(i)

    parts = [([body.requests[i].to_sample() for i in rows_of_recipe], name) for name, rows_of_recipe in rows.items()]
    part_scores = await request.score_parts(parts, _refuse_failed_parts)
    for (name, rows_of_recipe), scores in zip(rows.items(), part_scores, strict=True):
        if isinstance(scores, GatewayError):
            errors_of = dict.fromkeys(rows_of_recipe, scores.message)
        else:
            errors_of = {rows_of_recipe[k]: reason.message for k, reason in scores.failed.items()}
            for i, number in zip(rows_of_recipe, scores.numbers(), strict=True):
                if i not in errors_of:
                    results[i][name] = {name: number}
        for i, message in errors_of.items():
            errors[i][name] = message
    return {"results": results, "errors": errors}


def _refuse_failed_parts(parts: Sequence[Scores | GatewayError]) -> None:
    """Raise the first failure that the caller caused; if every part failed, the first failure."""
    failures = [part for part in parts if isinstance(part, GatewayError)]
    for failure in failures:
        if failure.status < 500 or len(failures) == len(parts):
            raise failure


@dialect.get("/rewards", answer=RewardNames)
async def rewards(request: Request) -> Any:
    """The recipes that can be named in a request."""
    return {"rewards": [plan.name for plan in dependencies_of(request).gateway.book]}
