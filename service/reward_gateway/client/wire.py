"""The answer of ``POST /v1/score`` as types; gRPC's messages are read into the same."""

from typing import Any

from msgspec import Struct, field
from msgspec.json import Decoder


class SampleError(Struct, frozen=True):
    """Why a sample has no reward: the component of the recipe that failed, and the path below the sample."""

    code: str
    message: str
    component: str | None = None
    param: str | None = None


class WireComponent(Struct):
    """One component of one sample."""

    raw: float | None = None
    value: float | None = None
    model: str | None = None
    model_version: str | None = None
    cached: bool = False
    vector: list[Any] | None = None


class WireResult(Struct):
    """One sample's result."""

    id: str
    valid: bool
    reward: float | None = None
    reward_raw: float | None = None
    rewards: list[Any] | None = None
    components: dict[str, WireComponent] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    error: SampleError | None = None


class ScoreAnswer(Struct):
    """The results of one request, in the order of its samples."""

    reward: str
    recipe_version: str
    results: list[WireResult]
    usage: dict[str, int]
    timing_ms: dict[str, float]
    answer: str | None = None


class WireFailure(Struct):
    """What stands under ``error`` in a refusal."""

    code: str = ""
    message: str = ""
    param: str | None = None


class Refusal(Struct):
    """The body of a refusal."""

    error: WireFailure


score_answer = Decoder(ScoreAnswer)
refusal = Decoder(Refusal)
