"""robometer's evaluation server: trajectories as arrays of frames, one progress a frame.

A recipe that gives a vector gives the progress of each frame. Any other is asked once a frame, with the frames up to
it: what a progress reward says of the trajectory so far.
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
from .arrays import pictures, read_npy
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
    )
)
router = dialect.router


class Evaluation(Struct):
    """A progress per frame of each trajectory, and a probability of success where the recipe gives one."""

    outputs_preference: None
    outputs_progress: dict[str, list[list[float]]]
    outputs_success: dict[str, list[list[float]]] | None


@dialect.post_bytes("/evaluate_batch_npy", answer=Evaluation, content_type="multipart/form-data")
async def evaluate_batch_npy(ask: DialectRequest, body: bytes) -> Any:
    """The progress of each frame of each trajectory."""
    fields, files = await _parts(ask)
    progress: list[list[float]] = []
    success: list[list[float]] = []
    i = 0
    while f"sample_{i}" in fields:
        task, frames = await _trajectory(fields[f"sample_{i}"], files, f"sample_{i}")
        values, solved = await _progress(ask, task, frames)
        progress.append(values)
        success.append(solved)
        i += 1
    if i == 0:
        raise InvalidRequest("sample_0: there is no trajectory", param="sample_0")
    return {
        "outputs_preference": None,
        "outputs_progress": {"progress_pred": progress},
        "outputs_success": {"success_probs": success} if all(success) else None,
    }


async def _parts(ask: DialectRequest) -> tuple[dict[str, str], dict[str, bytes]]:
    try:
        form = await ask.request.form(max_files=1000, max_fields=5000, max_part_size=1 << 20)
    except (HTTPException, MultiPartException):
        raise MalformedBody("the body is no multipart form") from None
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for name, held in form.multi_items():
        if isinstance(held, UploadFile):
            files[name] = await held.read()
        else:
            fields[name] = held
    return fields, files


async def _trajectory(text: str, files: dict[str, bytes], param: str) -> tuple[str, list[str]]:
    """The task and the frames of one sample."""
    try:
        sample = json.loads(text)
        if sample["sample_type"] != "progress":
            raise InvalidRequest(f"{param}.sample_type: progress is scored here", param=f"{param}.sample_type")
        trajectory = sample["trajectory"]
        task, name = str(trajectory["task"]), trajectory["frames"]["__numpy_file__"]
        content = files[name]
    except (ValueError, KeyError, TypeError, RecursionError):
        message = "expected a progress sample, whose trajectory names its task and the file of its frames"
        raise InvalidRequest(f"{param}: {message}", param=param) from None
    return task, await asyncio.to_thread(pictures, read_npy(content, f"{param}.frames"), f"{param}.frames")


def _values(scores: Scores) -> list[float]:
    """The vector of the only sample."""
    return [float(x) for x in (scores.scored.rewards or [[]])[0]]


def _check_length(scores: Scores, frames: int) -> None:
    """Raise InvalidRequest unless the recipe gives a value per frame."""
    if (count := len(_values(scores))) != frames:
        raise InvalidRequest(f"the recipe gives {count} values for {frames} frames")


async def _progress(ask: DialectRequest, task: str, frames: list[str]) -> tuple[list[float], list[float]]:
    """A value a frame, and that of the component ``success`` where the recipe has one."""
    if not frames:
        return [], []
    given: list[Any] = list(frames)
    if ask.plan().returns == "vector":
        scores = await ask.score(
            [SampleItem(prompt=task, frames=given)], vectors=True, check=lambda found: _check_length(found, len(frames))
        )
        return _values(scores), []
    size = sum(len(frame) * (len(frames) - k) for k, frame in enumerate(frames))
    if size > (limit := 4 * dependencies_of(ask.request).settings.max_body_bytes):
        raise TooLarge(f"the frames up to each frame are {size} bytes in all, over the limit of {limit}")
    scores = await ask.score([SampleItem(prompt=task, frames=given[: k + 1]) for k in range(len(frames))])
    return scores.numbers(), scores.components.get("success", [])
