"""Dense progress of a robot episode: what a progress model says after every frame."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from reward_gateway.sample import Batch, FloatArray, Invalid, Media

from ..columns import Columns
from ..effects import Effectful
from ..hosted import HostedAnswer, ask_model
from ..media import Frame
from ..names import HostedModel
from ..outcome import Outcome, invalid_field
from ..registry import OperationItem, OperationParams, operation


class Params(OperationParams):
    model: HostedModel = Field(
        "robot_progress",
        description="Hosted model that scores prompt and frames, of which it reads the first and the last; its first "
        "number is the progress, its second, if it has one, the probability of success.",
    )


class Item(OperationItem):
    prompt: str | None = Field(None, description="The instruction.")
    frames: list[Frame] | None = Field(None, description="The episode, in order of time, as base64.")
    progress: list[float] | None = Field(None, description="The progress itself, in place of both.")


@operation("score", "frame_progress", item=Item, params=Params, returns="vector")
def frame_progress(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Progress in [0, 1] at every frame of an episode, a vector as long as `frames`.

    Frame t is put to the model as the pair (first frame, frame t) with the instruction, so that an episode that grows
    by a frame costs one new pair: the others are in the cache, and the model keeps what it saw of the first frame.
    Give `prompt` and `frames`, or the `progress` itself. If a frame cannot be scored, the whole item is invalid.
    Details: `success`, the model's probability that the task is solved, a frame; `model_version`.
    """
    prompts, frames, given = columns.objects("prompt"), columns.objects("frames"), columns.vectors("progress")
    invalid = {
        i: invalid_field("give prompt and frames, or the progress")
        for i in range(columns.size)
        if given[i] is None and not (prompts[i] and frames[i])
    }
    asked = [i for i in range(columns.size) if given[i] is None and i not in invalid]
    owners = [i for i in asked for _ in frames[i]]
    batch = _pair_frames([(prompts[i], frames[i]) for i in asked])
    answer = yield from ask_model(params.model, batch, list(range(len(owners))), len(owners), single=False)
    for k, reason in answer.invalid.items():
        invalid.setdefault(owners[k], Invalid(reason.code, reason.message))
    ends = np.cumsum([len(frames[i]) for i in asked]).tolist()
    places = {i: range(end - len(frames[i]), end) for i, end in zip(asked, ends, strict=True)}
    return Outcome(
        rewards=[_collect_progress(given[i], answer, places.get(i, ()), i in invalid) for i in range(columns.size)],
        details=_collect_details(columns.size, answer, places) if owners else {},
        invalid=invalid,
        flags={owners[k]: flags for k, flags in answer.flags.items()},
    )


def _pair_frames(episodes: Sequence[tuple[str, Sequence[Media]]]) -> Batch:
    """A sample a frame: the first frame of its episode and itself."""
    prompts: list[Any] = [prompt for prompt, frames in episodes for _ in frames]
    pairs = [[frames[0], frame] for _, frames in episodes for frame in frames]
    size = len(pairs)
    return Batch([str(k) for k in range(size)], prompts, [""] * size, frames=pairs)


def _collect_progress(
    given: FloatArray | None, answer: HostedAnswer, places: Sequence[int], failed: bool
) -> list[float] | None:
    if failed:
        return None
    values: list[float] = (answer.values[list(places), 0] if given is None else given).tolist()
    return values


def _collect_details(size: int, answer: HostedAnswer, places: Mapping[int, Sequence[int]]) -> dict[str, Sequence[Any]]:
    success: list[Any] = [None] * size
    if answer.values.shape[1] > 1:
        for i, rows in places.items():
            success[i] = [None if value != value else value for value in answer.values[rows, 1].tolist()]
    return {"success": success, "model_version": [answer.version if i in places else None for i in range(size)]}
