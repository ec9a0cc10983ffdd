"""The answers of ``POST /v1/score`` and of jobs as types; gRPC's messages are read into the same."""

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
    skipped: str | None = None
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
    recipe_version: str | None = None


class GroupStats(Struct):
    """The valid samples of one group of a recipe that compares samples.

    Attributes:
        n: how many.
        mean, std: of their rewards before the comparison, or of the component that the recipe's ``keep`` names; std
            with divisor n - 1. None where too few are valid.
        all_equal: they carry no signal.
        accuracy: share above 0.5.
        keep: whether the recipe's rule keeps the group; None: it has no rule.
    """

    n: int
    mean: float | None = None
    std: float | None = None
    all_equal: bool = False
    accuracy: float | None = None
    keep: bool | None = None


class ScoreAnswer(Struct):
    """The results of one request, in the order of its samples."""

    reward: str
    recipe_version: str
    results: list[WireResult]
    usage: dict[str, int]
    timing_ms: dict[str, float]
    answer: str | None = None
    groups: dict[str, GroupStats] | None = None


class JobRow(WireResult, kw_only=True):
    """One sample's result of a job: its place in the body that was submitted."""

    index: int


class QueuedRow(JobRow, kw_only=True):
    """One sample's result in a run's queue; ``receipt`` acknowledges it and what was delivered with it."""

    job: str
    receipt: str
    group: str | None = None
    metadata: dict[str, Any] | None = None


class JobAccepted(Struct):
    """A job that was accepted."""

    job: str
    samples: int
    durable: bool
    expires_s: int


class JobPage(Struct):
    """A job, and results that were new; ``usage`` is there once it has come to its end."""

    job: str
    status: str
    reward: str
    recipe_version: str
    samples: int
    completed: int
    results: list[JobRow]
    cursor: str
    answer: str | None = None
    usage: dict[str, int] | None = None
    error: SampleError | None = None
    groups: dict[str, GroupStats] | None = None


class QueuedRows(Struct):
    """Results of a run's queue."""

    results: list[QueuedRow]


class Removed(Struct):
    """How many deliveries were removed."""

    removed: int


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
