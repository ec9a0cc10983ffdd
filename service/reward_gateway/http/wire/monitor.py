"""The monitor's answer, as types for the OpenAPI page. Numbers are finite or null."""

from msgspec import UNSET, Struct, UnsetType


class Drift(Struct):
    """How far a distribution moved: population stability index, and Kolmogorov-Smirnov distance in [0, 1]."""

    psi: float
    ks: float


class Distribution(Struct):
    """Where the finite scores of the window lie.

    `saturated` is by how much the share at one end of their range exceeds that at the other: 0 for rewards of 0 and 1
    that are half and half, 0.9 where 95 % of them are 1, and 1 where all scores are equal.
    """

    count: int
    mean: float | None
    std: float | None
    min: float | None
    max: float | None
    quantiles: dict[str, float] | None
    saturated: float | None
    drift: Drift | None


class ComponentHealth(Struct):
    """A component after its transforms and, where they change it, before them."""

    value: Distribution
    raw: Distribution | UnsetType = UNSET


class Agreement(Struct):
    """How far an audit agrees with the reward, over the samples that have both: Pearson's and Spearman's correlation;
    null where there are too few, or all are equal."""

    samples: int
    pearson: float | None
    spearman: float | None


class RewardHealth(Struct):
    """One recipe over the latest samples. `invalid` and `flagged` are shares of the samples, by code and by guard."""

    version: str
    window: int
    samples: int
    reference_samples: int
    reward: Distribution
    components: dict[str, ComponentHealth]
    invalid: dict[str, float]
    flagged: dict[str, float]
    length_correlation: float | None
    ensemble_disagreement: float | None
    audits: dict[str, Agreement]


class MonitorReport(Struct):
    """Every recipe that was asked for, by name.

    `worker` is the process that answered; `shared`: whether the windows are those of all workers and pods.
    """

    worker: int
    shared: bool
    rewards: dict[str, RewardHealth]


class MonitorReset(Struct):
    """New references are taken."""

    reset: bool
