"""The answers, as types: for the OpenAPI page and for whoever decodes them. Numbers are finite or null."""

from typing import Any

from msgspec import Struct, field


class ComponentResult(Struct, omit_defaults=True):
    """One component of a sample: the raw score, the value after its transforms, and what a judge said, if any."""

    raw: float | None
    value: float | None
    model: str | None
    model_version: str | None
    cached: bool
    judge_answer: str | list[Any] | None = None


class SampleError(Struct):
    """Why a sample has no score."""

    code: str
    message: str
    component: str | None


class SampleResult(Struct):
    """One sample's reward, in the place of its sample."""

    id: str
    reward: float | None
    rewards: list[Any] | None
    valid: bool
    components: dict[str, ComponentResult]
    flags: list[str]
    error: SampleError | None


class UsageCount(Struct):
    """What the answer cost; hits and misses count component x sample."""

    samples: int
    cache_hits: int
    cache_misses: int
    model_calls: int


class ScoreResponse(Struct):
    """Results in the order of the samples, one for one."""

    reward: str
    recipe_version: str
    results: list[SampleResult]
    usage: UsageCount
    timing_ms: dict[str, float]


class ItemResult(Struct):
    """One item's answer; a scalar, a vector, named extras or an error, as fits."""

    reward: float | None = None
    rewards: list[Any] | None = None
    details: dict[str, Any] | None = None
    error: SampleError | None = None


class ApplyResponse(Struct):
    """Results in the order of the items, one for one."""

    results: list[ItemResult]


class ErrorInfo(Struct):
    """What was wrong, where, and what to do about it."""

    code: str
    message: str
    type: str
    param: str | None


class ErrorResponse(Struct):
    """The body of every refusal."""

    error: ErrorInfo


class RewardList(Struct):
    """The recipes that are loaded."""

    rewards: list[dict[str, Any]]
    default: str | None


class OperationList(Struct):
    """Every operation."""

    operations: list[dict[str, Any]]


class ModelList(Struct):
    """OpenAI's list of recipes, and beside it the models behind them."""

    data: list[dict[str, Any]]
    models: list[dict[str, Any]]
    object: str = field(default="list")


class ModelAnswer(Struct):
    """A model as it is served."""

    name: str
    version: str
    versions: list[str]
    ready: bool
    inputs: list[str]
    dimensions: list[str]
    card: dict[str, Any]


class HeadAnswer(ModelAnswer):
    """A model with its new head: the version's number, the version that was served before, and whether it is new."""

    number: int = 0
    replaced: str = ""
    created: bool = True


class ExperimentReport(Struct):
    """A candidate beside the model that answers. ``versions`` are both; numbers are null where too little was seen."""

    name: str
    model: str
    candidate: str
    fraction: float
    reward: str | None
    versions: tuple[str, str] | None
    n: int
    samples: int
    groups: int
    pearson: float | None
    spearman: float | None
    pair_agreement: float | None
    best_changed: float | None
    sign_flips: float | None
    mean_shift: float | None
    mean_shift_std: float | None
    dropped: int
    failed: int


class ExperimentList(Struct):
    """Every experiment, as one worker sees it."""

    worker: int
    experiments: list[ExperimentReport]


class Validation(Struct):
    """Whether a recipe file would load, with every fault and its place."""

    valid: bool
    faults: list[dict[str, str]]
    rewards: list[dict[str, Any]]
