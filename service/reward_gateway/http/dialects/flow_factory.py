"""Flow-Factory's remote reward model: prompts with images or frames, whole groups at once, one reward per prompt.

Condition images and frames (the model's input) come before the images and frames it generated.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from reward_gateway.errors import InvalidRequest
from reward_gateway.intake.request import SampleItem

from .dialect import Dialect
from .policy import Policy
from .request import DialectRequest

dialect = Dialect(
    Policy(
        name="flow_factory",
        title="Flow-Factory",
        clients=("Flow-Factory",),
        prefix="flow_factory",
        deadline_s=50.0,
    )
)
router = dialect.router


class ComputeRequest(Struct):
    """Columns of equal length; images in base64."""

    prompt: list[str]
    image: list[str] | None = None
    video: list[list[str]] | None = None
    condition_images: list[list[str] | None] | None = None
    condition_videos: list[list[list[str]] | None] | None = None
    reward: str | None = None
    model: str | None = None


class Rewards(Struct):
    """A number per sample."""

    rewards: list[float]


@dialect.post(
    "/compute",
    body=ComputeRequest,
    answer=Rewards,
    example={"prompt": ["a red kite"], "image": None, "video": None},
)
async def compute(request: DialectRequest, body: ComputeRequest) -> Any:
    """The rewards of a batch, in the order of its prompts."""
    n = len(body.prompt)
    for name in ("image", "video", "condition_images", "condition_videos"):
        column = getattr(body, name)
        if column is not None and len(column) != n:
            raise InvalidRequest(f"{name}: {len(column)} entries for {n} prompts", param=name)
    samples = [_read_sample(body, i) for i in range(n)]
    return {"rewards": (await request.score(samples, body.reward, body.model)).numbers() if samples else []}


def _read_sample(body: ComputeRequest, i: int) -> SampleItem:
    images: list[Any] = [*_read_row(body.condition_images, i), *([body.image[i]] if body.image else [])]
    condition_videos = _read_row(body.condition_videos, i)
    frames: list[Any] = [frame for video in condition_videos for frame in video] + list(_read_row(body.video, i))
    return SampleItem(prompt=body.prompt[i], images=images or None, frames=frames or None)


def _read_row(column: Sequence[Any] | None, i: int) -> Sequence[Any]:
    return (column[i] or ()) if column is not None else ()
