"""ROLL's remote reward system: submit a sample, fetch its reward later. ``submit_url`` is ``…/roll/submit``,
``get_result_url`` is ``…/roll/result``.

The reward is stored before the submission is answered, so the first fetch finds it. A sample that cannot be scored
fails the submission: after its retries ROLL uses 0 instead, and only an error makes it log that.
"""

import secrets
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from reward_gateway.errors import NotFound
from reward_gateway.intake.request import SampleItem
from reward_gateway.sample.labels import read_label

from .dialect import Dialect
from .policy import Policy
from .request import DialectRequest
from .row_metadata import write_metadata
from .texts import text_or_messages

dialect = Dialect(
    Policy(
        name="roll",
        title="ROLL",
        clients=("ROLL",),
        prefix="roll",
        deadline_s=17.0,
        one_sample=True,
    )
)
router = dialect.router

TTL_S = 1800.0
"""Seconds for which a reward can be fetched: ROLL polls for five minutes, five times."""


class Submission(Struct):
    """One sample; ROLL's fields about its run are ignored."""

    prompt: Any
    response: str
    reward_info: dict[str, Any] | None = None
    reward: str | None = None
    model: str | None = None


class ResultRequest(Struct):
    """The id that :func:`submit` returned."""

    reward_request_id: str


class Submitted(Struct):
    """The id under which the reward can be fetched."""

    errcode: int
    reward_request_id: str
    errmsg: str


class DimensionScore(Struct):
    """One component of the reward."""

    score: float | None
    debug_info: dict[str, Any]


class Result(Struct):
    """The reward of one sample; ROLL's spelling."""

    errcode: int
    errmsg: str
    reward_score: float
    dimention_reward_score: dict[str, DimensionScore]
    start_time: str
    end_time: str


@dialect.post(
    "/submit",
    body=Submission,
    answer=Submitted,
    bare=False,
    example={"prompt": "2 + 2?", "response": "4", "reward_info": {"ground_truth": "4"}},
)
async def submit(request: DialectRequest, body: Submission) -> Any:
    """Score a sample and keep its reward for the second call."""
    started = datetime.now(UTC)
    info = body.reward_info or {}
    reference = read_label(info.get("ground_truth", info.get("test_cases")))
    sample = SampleItem(prompt=text_or_messages(body.prompt, "prompt"), response=body.response, reference=reference)
    sample.metadata = write_metadata(info, without=("ground_truth", "test_cases"))
    scores = await request.score([sample], body.reward, body.model)
    token = secrets.token_hex(16)
    result = {
        "errcode": 0,
        "errmsg": "",
        "reward_score": scores.numbers()[0],
        "dimention_reward_score": {
            name: {"score": value, "debug_info": {}} for name, value in scores.component_row(0).items()
        },
        "start_time": started.isoformat(),
        "end_time": datetime.now(UTC).isoformat(),
    }
    await request.results.put(f"roll:{token}", result, TTL_S)
    return {"errcode": 0, "reward_request_id": token, "errmsg": ""}


@dialect.post("/result", body=ResultRequest, answer=Result, bare=False, methods=("GET", "POST"))
async def result(request: DialectRequest, body: ResultRequest) -> Any:
    """The reward of a submission; the request is a GET with a JSON body, as ROLL sends it."""
    stored = await request.results.read(f"roll:{body.reward_request_id[:64]}")
    if stored is None:
        raise NotFound("no reward is stored under this id; submit the sample again", param="reward_request_id")
    return stored
