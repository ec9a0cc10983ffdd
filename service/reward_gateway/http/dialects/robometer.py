"""robometer's evaluation server: trajectories as arrays of frames, one progress value per frame.

The vector of a recipe that returns vectors is the progress of each frame. Any other recipe is called once per frame
with the frames up to it: the progress of the trajectory so far.
"""

import asyncio
import json
from typing import Any

from msgspec import Struct
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from reward_gateway.errors import InvalidRequest, MalformedBody, TooLarge
from reward_gateway.intake.request import SampleItem

from ..dependencies import dependencies_of
from .arrays import encode_pictures, read_npy
from .dialect import Dialect
from .policy import Policy
from .request import DialectRequest, Scores

dialect = Dialect(
    Policy(
        name="robometer",
        title="robometer",
        clients=("robometer's clients",),
        prefix="robometer",
        deadline_s=110.0,
        one_sample=True,
    )
)
router = dialect.router


class Evaluation(Struct):
    """Progress per frame of each trajectory, and probabilities of success if the recipe has that component."""

    outputs_preference: None
    outputs_progress: dict[str, list[list[float]]]
    outputs_success: dict[str, list[list[float]]] | None


@dialect.post_bytes("/evaluate_batch_npy", answer=Evaluation, content_type="multipart/form-data")
async def evaluate_batch_npy(request: DialectRequest, body: bytes) -> Any:
    """The progress of each frame of each trajectory."""
    fields, files = await _read_form(request)
    progress: list[list[float]] = []
    success: list[list[float]] = []
    i = 0
    while f"sample_{i}" in fields:
        task, frames = await _read_trajectory(fields[f"sample_{i}"], files, f"sample_{i}")
        values, solved = await _score_progress(request, task, frames)
        progress.append(values)
        success.append(solved)
        i += 1
    if i == 0:
        raise InvalidRequest("sample_0: missing field; expected at least one trajectory", param="sample_0")
    return {
        "outputs_preference": None,
        "outputs_progress": {"progress_pred": progress},
        "outputs_success": {"success_probs": success} if all(success) else None,
    }


async def _read_form(request: DialectRequest) -> tuple[dict[str, str], dict[str, bytes]]:
    try:
        form = await request.http_request.form(max_files=1000, max_fields=5000, max_part_size=1 << 20)
    except (HTTPException, MultiPartException):
        raise MalformedBody("the body is not a multipart form") from None
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            files[name] = await value.read()
        else:
            fields[name] = value
    return fields, files


async def _read_trajectory(text: str, files: dict[str, bytes], param: str) -> tuple[str, list[str]]:
    """The task and the frames of one sample."""
    try:
        sample = json.loads(text)
        if sample["sample_type"] != "progress":
            raise InvalidRequest(f"{param}.sample_type: expected progress", param=f"{param}.sample_type")
        trajectory = sample["trajectory"]
        task, name = str(trajectory["task"]), trajectory["frames"]["__numpy_file__"]
        content = files[name]
    except (ValueError, KeyError, TypeError, RecursionError):
        message = "expected a progress sample with trajectory.task and trajectory.frames.__numpy_file__"
        raise InvalidRequest(f"{param}: {message}", param=param) from None
    return task, await asyncio.to_thread(encode_pictures, read_npy(content, f"{param}.frames"), f"{param}.frames")


def _read_vector(scores: Scores) -> list[float]:
    """The vector of the only sample."""
    return [float(x) for x in (scores.scored.rewards or [[]])[0]]


def _check_length(scores: Scores, frames: int) -> None:
    """Raise InvalidRequest unless the recipe gives a value per frame."""
    if (count := len(_read_vector(scores))) != frames:
        raise InvalidRequest(f"the recipe gives {count} values for {frames} frames")


async def _score_progress(request: DialectRequest, task: str, frames: list[str]) -> tuple[list[float], list[float]]:
    """Progress per frame, and the component ``success`` per frame if the recipe has it (else empty)."""
    if not frames:
        return [], []
    all_frames: list[Any] = list(frames)
    if request.plan().returns == "vector":
        scores = await request.score(
            [SampleItem(prompt=task, frames=all_frames)],
            vectors=True,
            check=lambda scored: _check_length(scored, len(frames)),
        )
        return _read_vector(scores), []
    size = sum(len(frame) * (len(frames) - k) for k, frame in enumerate(frames))
    if size > (limit := 4 * dependencies_of(request.http_request).settings.max_body_bytes):
        raise TooLarge(f"the frames up to each frame are {size} bytes in all, over the limit of {limit}")
    scores = await request.score([SampleItem(prompt=task, frames=all_frames[: k + 1]) for k in range(len(frames))])
    return scores.numbers(), scores.components.get("success", [])
