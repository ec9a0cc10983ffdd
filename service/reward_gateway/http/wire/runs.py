"""The history of training runs, as types for the OpenAPI page. Numbers are finite or null."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType


class RunSummary(Struct):
    """A training run: `run` is empty for requests that named none. Times are seconds since 1970."""

    run: str
    caller: str
    first_seen: float
    last_seen: float
    samples: int
    invalid: int
    rewards: list[str]


class RunPage(Struct):
    """Runs, and where the next page begins; null: this is the last. `shared`: all workers and pods see the same."""

    runs: list[RunSummary]
    cursor: str | None
    shared: bool


class RunVersion(Struct):
    """A version of a recipe, and when its first sample was scored for the run: seconds since 1970, and the step."""

    version: str
    since: float
    step: int | None


class RunComponent(Struct):
    """A component after its transforms."""

    mean: float | None
    std: float | None


class RunAdvantage(Struct):
    """What a recipe answers that compares the samples of a group."""

    mean: float | None
    std: float | None
    quantiles: dict[str, float] | None


class RunRow(Struct):
    """A minute, an hour (`t`: its begin, seconds since 1970) or a step.

    `mean`, `std` (divisor n - 1) and `quantiles` are of the rewards before the comparison within groups. `n` counts
    samples, of which `invalid` have no reward. `zero_variance_share`: of the groups with two or more valid samples,
    how many have equal rewards. `length_correlation`: Spearman's, of the reward with the characters of the response.
    """

    n: int
    invalid: int
    flagged: int
    mean: float | None
    std: float | None
    quantiles: dict[str, float] | None
    components: dict[str, RunComponent]
    zero_variance_share: float | None
    length_correlation: float | None
    advantage: RunAdvantage | None
    t: int | UnsetType = UNSET
    step: int | UnsetType = UNSET


class RunReward(Struct):
    """What a recipe gave the run."""

    versions: list[RunVersion]
    series: list[RunRow]


class RunReport(Struct):
    """A training run by recipe."""

    run: str
    caller: str
    first_seen: float
    last_seen: float
    samples: int
    invalid: int
    bucket: Literal["minute", "hour", "step"]
    shared: bool
    rewards: dict[str, RunReward]


class RunForgotten(Struct):
    """The run has no history any more."""

    forgotten: bool
