"""The answers, as types: for the OpenAPI page and for whoever decodes them. Numbers are finite or null."""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from reward_gateway.sample import InvalidCode


class Home(Struct):
    """What is served at an address; ``links`` are paths on it."""

    name: str
    version: str
    ready: bool
    links: dict[str, str]


class ComponentResult(Struct, omit_defaults=True):
    """One component of a sample: the raw score, the value after its transforms, what decided that it was not computed
    (null: it was), what a judge said, if any, the vector of a component that gives a number per step or token, and the
    limit of its time, where its problem has one of its own (``adaptive_timeout``)."""

    raw: float | None
    value: float | None
    model: str | None
    model_version: str | None
    cached: bool
    skipped: str | None
    judge_answer: str | list[Any] | None = None
    vector: list[Any] | None = None
    limit_s: float | None = None


class SampleError(Struct):
    """Why a sample has no score: the component of the recipe that failed, and the path below the sample."""

    code: InvalidCode
    message: str
    component: str | None
    param: str | None


class SampleResult(Struct):
    """One sample's reward, in the place of its sample.

    ``reward_raw`` is there where the recipe compares samples: the combined reward before the comparison.
    ``recipe_version`` is there where the recipe has a canary: the version that scored this sample.
    """

    id: str
    reward: float | None
    rewards: list[Any] | None
    valid: bool
    components: dict[str, ComponentResult]
    flags: list[str]
    error: SampleError | None
    reward_raw: float | UnsetType | None = UNSET
    recipe_version: str | UnsetType = UNSET


class UsageCount(Struct):
    """What the answer cost; hits and misses count component x sample, and questions to judges. ``skipped`` counts
    component x sample that the recipe's conditions left out."""

    samples: int
    cache_hits: int
    cache_misses: int
    model_calls: int
    skipped: int


class GroupStatistics(Struct):
    """The valid samples of one group: their rewards before the comparison, or the component that the recipe's ``keep``
    names. ``std`` has the divisor n - 1, ``accuracy`` is the share above 0.5, and ``keep`` is null without a rule."""

    n: int
    mean: float | None
    std: float | None
    all_equal: bool
    accuracy: float | None
    keep: bool | None


class ScoreResponse(Struct):
    """Results in the order of the samples, one for one.

    ``answer`` is there where the recipe compares samples: which number a client with room for one takes, ``reward``
    (normalized) or ``reward_raw`` (combined). ``groups`` by name are there where it compares samples of one request;
    the group of a sample that names none is ``prompt-`` and a hash of its prompt. ``recipe_version`` is the version
    that scored all samples; where the recipe and its canary both scored some, the recipe's own.
    """

    reward: str
    recipe_version: str
    results: list[SampleResult]
    usage: UsageCount
    timing_ms: dict[str, float]
    answer: Literal["normalized", "combined"] | UnsetType = UNSET
    groups: dict[str, GroupStatistics] | UnsetType = UNSET


class ItemError(Struct):
    """Why an item has no answer; ``param`` is the path below the item."""

    code: InvalidCode
    message: str
    param: str | None


class ItemResult(Struct):
    """One item's answer; a scalar, a vector, named extras or an error, as fits."""

    reward: float | None = None
    rewards: list[Any] | None = None
    details: dict[str, Any] | None = None
    error: ItemError | None = None


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
    """The body of every refusal. A recipe file has its faults beside it."""

    error: ErrorInfo
    faults: list[dict[str, str]] | UnsetType = UNSET


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
    models: list["ModelAnswer"]
    object: str = field(default="list")


class DeviceInfo(Struct):
    """Where a model's instances run."""

    kind: str
    gpus: list[int]
    instances: int


class ModelAnswer(Struct):
    """A model as it is served."""

    name: str
    version: str
    versions: list[str]
    ready: bool
    inputs: list[str]
    dimensions: list[str]
    device: DeviceInfo
    precision: str
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
    """Whether a recipe file would load, with every fault and its place; ``warnings`` do not stop it."""

    valid: bool
    faults: list[dict[str, str]]
    warnings: list[dict[str, str]]
    rewards: list[dict[str, Any]]


class Alive(Struct):
    """The process runs."""

    status: str
    live: bool


class Ready(Struct):
    """It may get work. ``not_ready``: why other recipes cannot answer; ``stores``: which stores can be reached."""

    status: str
    ready: bool
    reward: str
    not_ready: dict[str, str] | UnsetType = UNSET
    stores: dict[str, str] | UnsetType = UNSET
    rewards: dict[str, list[bool]] | UnsetType = UNSET


class NotReady(Struct):
    """It may get no work now, and why."""

    error: ErrorInfo | str
    status: str
    ready: bool
    reward: str | UnsetType = UNSET
    not_ready: dict[str, str] | UnsetType = UNSET
    stores: dict[str, str] | UnsetType = UNSET


class StateName(Struct):
    """One name that is stored."""

    kind: str
    name: str
    version: int
    owner: Literal["run", "tenant", "legacy"]


class StateList(Struct):
    """Every name that is stored."""

    state: list[StateName]


class StateRun(Struct):
    """A run that has state, and of which kinds."""

    run: str
    kinds: list[Literal["moments", "coefficients", "archives", "queues"]]


class StateRuns(Struct):
    """Runs that have state, and where the next page begins; null: this is the last."""

    runs: list[StateRun]
    cursor: str | None


class StateValue(StateName):
    """A stored value as JSON."""

    value: Any


class ResetAccepted(Struct):
    """Whether a new epoch has begun; false if the store had not lost its state."""

    accepted: bool


class MigratedName(Struct):
    """One name of an earlier version; ``moved`` is false where the namespace had written it itself."""

    kind: str
    name: str
    moved: bool


class Migrated(Struct):
    """Every name that an earlier version had stored."""

    state: list[MigratedName]


class StateReset(Struct):
    """Nothing is stored under the name any more."""

    reset: bool


class ResetName(Struct):
    """One name of a run that was deleted; the kind ``queues`` has the tables of labels as names."""

    kind: str
    name: str


class RunReset(Struct):
    """All that was deleted."""

    reset: list[ResetName]


class StoredReferences(Struct):
    """What was stored of one model: its version, how many prompts, how many rewards."""

    version: str
    groups: int
    rewards: int


class ReferencesAnswer(Struct):
    """What was stored by model, and how many samples had no score."""

    stored: dict[str, StoredReferences]
    invalid: int


class CalibrationName(Struct):
    """One stored calibration."""

    name: str
    version: int


class CalibrationList(Struct):
    """Every stored calibration, by name."""

    calibrations: list[CalibrationName]


class CalibrationCurve(Struct):
    """A function by its corners: linear between them, flat outside."""

    x: list[float]
    y: list[float]


class CalibrationAnswer(CalibrationName):
    """What is stored: of how many points or pairs, on scores or margins, its parameters or curve, and how well it fits
    them ``before`` and ``after``."""

    method: Literal["platt", "isotonic", "temperature", "moments", "length"]
    on: Literal["score", "margin"]
    n: int
    parameters: dict[str, float]
    curve: CalibrationCurve | None
    quality: dict[str, dict[str, float | None]]


class ProgramCheck(Struct):
    """What one source gave on the samples."""

    passed: bool
    values: list[Any]
    errors: list[Any]


class ProgramReport(Struct):
    """Whether the programs were kept, and as what."""

    name: str
    version: int | None
    program: str | None
    valid: bool
    checks: dict[str, ProgramCheck]
    rewards: list[float] | None


class DialectRow(Struct):
    """One dialect: who speaks it, where, and what a failed sample becomes; ``override`` is the operator's word, and
    ``flags`` the response header that has the samples' flags."""

    name: str
    title: str
    clients: list[str]
    prefix: str | None
    on_invalid: str
    overload_status: int
    deadline_s: float | None
    score: str
    error_format: str
    one_sample: bool
    flags: str
    paths: list[str]
    override: float | str | None


class DialectList(Struct):
    """Every dialect."""

    dialects: list[DialectRow]
